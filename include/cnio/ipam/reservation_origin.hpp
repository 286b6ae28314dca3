// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"

namespace cnio::ipam {

// Where a reservation was made, and for which namespace: what can tell later that its container is gone.
//
// It is kept in an extended attribute of the reservation's file (OriginAttribute), so that it comes and goes with the
// file: no other program sees it when it lists or reads the folder, and a reservation that another program has made
// since has none. What is not known counts as alive: a reservation without it (of another program, copied, on a file
// system without such attributes), or one that does not parse.
struct Origin {
  std::string boot;           // the kernel's boot id
  std::string host;           // uname(2)'s nodename: two machines may share a store
  std::string netns_path;     // CNI_NETNS
  uint64_t device = 0;        // of the namespace's file
  uint64_t inode = 0;         // likewise; 0: there was no namespace at the path that could be examined
  int64_t mounted_since = 0;  // of a namespace that is mounted at its path: its file's mtime in ns, which stays while
                              // it is mounted; else 0

  // What an ADD for this namespace has to record, or to compare with; STATUS has no namespace. Nothing if the boot id
  // cannot be read.
  static std::optional<Origin> here(const std::string& netns_path);

  [[nodiscard]] std::string format() const;
  static std::optional<Origin> parse(std::string_view text);
};

// Was it made by this machine before its last boot? Then every process of that time is gone, and every namespace.
bool is_of_earlier_boot(const Origin& then, const Origin& now);

// Was it made by this machine since its last boot, for a namespace that is not at its path any more? Other processes
// may keep that namespace alive; but no runtime finds it there. Asked by the ADD of a namespace, `now`: false if that
// cannot be examined either, since then the paths of this container are not those of the recorded one.
bool has_left_its_path(const Origin& then, const Origin& now);

// Is that namespace still at its path, for who asks from the host, about all of them? Nothing if that cannot be told:
// it is of another boot or machine, had no namespace that could be examined, or whoever asks does not even see the
// folder that it was in, and so perhaps not what the runtime sees.
std::optional<bool> is_at_its_path(const Origin& then, const Origin& now);
// The same for a path alone: is any namespace there?
std::optional<bool> has_namespace(const std::string& path);

// The attribute of a file that keeps its origin: "trusted.cnio", which nobody but the host's root can read or write, so
// that no container that was given the folder can forge it. In a user namespace, where the kernel permits none of that
// class, it is "user.cnio"; whoever can write the file can write that, so outside of user namespaces it is not
// believed.
class OriginAttribute {
 public:
  // Attaches the origin to the open file, in place of another one. Errors: code 5, with errno.
  Status write(int fd, const Origin& origin);
  // Nothing if the file has none, or none that can be read.
  [[nodiscard]] std::optional<Origin> read(int fd);

 private:
  [[nodiscard]] bool in_user_namespace();

  std::optional<bool> in_user_namespace_;  // once it has been asked for
};

}  // namespace cnio::ipam
