// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <functional>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"

// The files of a store's folder, by name. `shown` is a path for messages.
namespace cnio::ipam {

// O_NONBLOCK: opening a pipe or a device that someone put there must not stop us.
inline constexpr int kSafeOpen = O_NOFOLLOW | O_NONBLOCK;

// Is something of that name there that is no regular file? Opening alone can have effects: of a device, or of a folder
// that is mounted on demand. What is not there is not odd.
bool is_odd_file(int folder, const std::string& name);

// A new file (0600) with this content, as a whole or not at all where the file system can do that; false if the name is
// taken. `dress` is called with the open file before the end. Errors: code 5.
Result<bool> create_whole_file(int folder, const std::string& name, const std::string& shown, std::string_view content,
                               const std::function<void(int fd)>& dress);

// Overwrites an open file that has `length` bytes, then cuts it: that needs no new block, and a failure does not lose
// the old content. Between the two a crash may leave a mixture. For a content that one write takes. Errors: code 5.
Status overwrite_file(int fd, size_t length, const std::string& shown, std::string_view content);

// What is gone already is a success. Errors: code 5.
Status remove_file(int folder, const std::string& name, const std::string& shown);

}  // namespace cnio::ipam
