# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
