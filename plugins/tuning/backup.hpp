// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::tuning {

struct SavedSetting {
  std::string path;    // below /proc/sys/net, "ipv4/conf/eth0/forwarding"
  std::string before;  // its value
  std::string set;     // what ADD made of it: whoever has written something else since is left alone

  bool operator==(const SavedSetting&) const = default;
};

// What an attachment's interface and namespace were like before ADD changed them: what DEL puts back.
struct Backup {
  // Whose it is; an empty network is that of a file which the reference has written, and which does not say.
  std::string network;
  protocol::Attachment attachment;
  uint64_t host = 0;     // the number of the host's network namespace: several hosts may share one /run
  uint64_t sandbox = 0;  // of the container's

  net::LinkChange link;
  std::vector<SavedSetting> settings;  // in the order in which they were written

  // What is in here and not yet in an earlier one becomes part of that; settings are what this one has set.
  void add_to(Backup& earlier) const;
};

// The reference's file, byte by byte, with two keys behind its own that it does not look at: `sysctl` and `cnio`.
std::string format_backup(const Backup& backup);
// Nothing if it is none.
std::optional<Backup> parse_backup(std::string_view text);

// The file of an attachment's backup: <folder>/<container>_<interface>.json, as the reference has it. If another
// attachment has that file (container a, interface b_c, and container a_b, interface c), one of its own.
class BackupFile {
 public:
  // Reads it, if it is there; nothing is made or changed. What is there and cannot be read as a backup is none, unless
  // it is no regular file or somebody else's. Errors: code 5.
  static Result<BackupFile> find(const std::string& folder, const protocol::Attachment& attachment);

  // What was there when it was read.
  [[nodiscard]] const std::optional<Backup>& backup() const { return backup_; }
  [[nodiscard]] bool exists() const { return text_.has_value(); }

  // As a whole or not at all; makes the folder (0700). Errors: code 5.
  Status write(const Backup& backup);
  // Makes it what it was when it was read. Errors: code 5.
  [[nodiscard]] Status put_back() const;
  // And what a write that was killed has left. Errors: code 5.
  [[nodiscard]] Status remove() const;

 private:
  BackupFile(std::string folder, const protocol::Attachment& attachment);
  Status read(const std::string& path);
  [[nodiscard]] Result<bool> put(const std::string& text) const;
  [[nodiscard]] bool is_of_another(const protocol::Attachment& attachment) const;

  std::string folder_;
  std::string shared_;  // its path, as the reference has it
  std::string own_;
  std::string temporary_;
  std::string path_;  // one of the first two
  std::optional<std::string> text_;
  std::optional<Backup> backup_;
  bool written_ = false;
};

// For GC: removes the backups of this network's attachments on this host that are not valid. Errors: code 5.
Status remove_stale_backups(const std::string& folder, const std::string& network, uint64_t host,
                            const std::vector<protocol::Attachment>& valid);

}  // namespace cnio::tuning
