// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cnio/base/result.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::ipam {

// The DNS settings that a resolv.conf(5) holds, read as the reference reads them: lines that start with # or ; and
// lines of fewer than two words are skipped; `nameserver` adds its first value, unchecked; the last `domain` wins;
// `search` and `options` add all their values, also over several lines. What is behind a NUL is no part of its line.
// `shown` names the source in messages. Errors: code 5 for a line of 64 KiB or more.
Result<protocol::Dns> parse_resolv_conf(std::string_view text, const std::string& shown);

// A symbolic link is followed; anything but a regular file in the end is not even opened, and nobody is waited for.
// Errors: code 5 for what is no regular file, cannot be read, or is larger than 1 MiB.
Result<protocol::Dns> read_resolv_conf(const std::string& path);

}  // namespace cnio::ipam
