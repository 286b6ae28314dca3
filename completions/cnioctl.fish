# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# For the folder of fish's completions. cnioctl knows its own verbs.
cnioctl completion fish | source
