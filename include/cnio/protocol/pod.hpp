// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cnio::protocol {

// "default/web-7f9c", where Kubernetes' runtime names its pod in CNI_ARGS (K8S_POD_NAMESPACE, K8S_POD_NAME). Empty if
// it does not, or names what can be no pod's (RFC 1123): nothing longer than 317 bytes, and nothing that is not
// printable.
std::string pod_name(std::string_view cni_args);

}  // namespace cnio::protocol
