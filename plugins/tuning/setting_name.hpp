// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cnio::tuning {

// What a sysctl's name may mean, in the sandbox of the interface `ifname`, whose name stands for the first "IFNAME".
//
// As sysctl(8) reads it: the separator that comes first, "." or "/", is the one between the parts, and the other one a
// dot in a part, as in net.ipv4.conf.eth0/100.forwarding. If there is no such setting, as the reference reads it, to
// which each "." and each "/" is a separator. What is not below net/, or would climb ("..", "."), is no reading.
struct SettingName {
  std::vector<std::string> paths;  // below /proc/sys/net, "ipv4/conf/eth0/forwarding": the first that is there counts
  std::string id;                  // the same for all names of one setting
};

// Without any path: the name can mean nothing.
SettingName read_name(std::string_view name, const std::string& ifname);

// How an allowlist may spell the setting of a path: by dots, as sysctl(8) shows it, and, if it is one of the
// interface's own, with IFNAME in the place of its name.
std::vector<std::string> dotted_names(const std::string& path, const std::string& ifname);

// Is it a path that `read_name` may give, whatever the interface is called?
bool is_setting_path(std::string_view path);

}  // namespace cnio::tuning
