# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# For the folder of bash-completion. cnioctl knows its own verbs.
# shellcheck shell=bash source=/dev/null
source <(cnioctl completion bash)
