// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "cnio/base/result.hpp"

namespace cnio {

enum class IfTaken : bool { kReplace, kLeave };

struct Putting {
  IfTaken if_taken = IfTaken::kReplace;
  mode_t mode = 0600;    // whatever the umask is
  bool durable = false;  // also over the machine's sudden end
};

// Puts a file of this content at `path`, as a whole or not at all: it is written as `temporary`, in the same folder,
// where whatever is there goes, and renamed. False if something is there that is to be left. Errors: code 5.
Result<bool> put_whole_file(const std::string& path, const std::string& temporary, std::string_view content,
                            const Putting& how = Putting());

// A file that nobody but this user or root can have written: nothing if there is none, or it is no regular one, another
// user's, one that others may write, or larger than `limit`. A symbolic link in its place is not followed. Errors:
// code 5.
Result<std::optional<std::string>> read_own_file(const std::string& path, size_t limit);

// The same of what somebody else has named, as read_regular_file; that it cannot be believed is an error that says why.
Result<std::string> read_believed_file(const std::string& path, size_t limit);

// Does the errno of an open(2) say that there is nothing that could be read? A name that is too long is nobody's.
bool says_absent(int errnum);

// What is gone already is a success. Errors: code 5.
Status remove_file(const std::string& path);

}  // namespace cnio
