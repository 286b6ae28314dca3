// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/error_list.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

#include "flannel/delegation.hpp"

namespace cnio::flannel {

// What a delegate was told, and for which attachment.
struct Told {
  Delegation delegation;
  std::string network;
  std::optional<std::string> ifname;  // nothing: the reference's, which does not say
};

// The text of a record: the delegate's configuration, with one member more, which says whose it is.
std::string format_record(const std::string& config, const protocol::Attachment& attachment);
// Of ours the configuration is the one that was told; of the reference's it is all of the record.
struct ReadRecord {
  bool names_owner = false;
  std::optional<protocol::Attachment> attachment;  // the owner, if there can be such a one
  Told told;
};
std::optional<ReadRecord> parse_record(std::string text);

// The record of an attachment, by which DEL undoes what ADD has done, whatever configuration and subnet file say by
// then: a file in `dataDir`, called after the container, where the reference has its own, or looks for it. If that is
// another attachment's of the container, it is one beside it, of a name that has a hash of network and interface.
class Record {
 public:
  // Nothing is made or changed. Errors: code 5.
  static Result<Record> find(const std::string& folder, const std::string& network,
                             const protocol::Attachment& attachment);

  // Is there a file? It need not be one that can be understood.
  [[nodiscard]] bool exists() const { return text_.has_value(); }
  [[nodiscard]] const std::optional<Told>& told() const { return told_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  // As a whole, in place of what there is; lasts over a power cut. Errors: code 5.
  Status write(const std::string& config);
  // Makes it what it was when it was found. Errors: code 5.
  [[nodiscard]] Status put_back() const;
  // And what a write that was killed has left. Errors: code 5.
  [[nodiscard]] Status remove() const;

 private:
  Record(const std::string& folder, const std::string& network, protocol::Attachment attachment);
  Status read(const std::string& path);
  [[nodiscard]] bool is_ours(const std::string& network) const;
  [[nodiscard]] Result<bool> put(const std::string& text, bool replace) const;

  protocol::Attachment attachment_;
  std::string shared_;  // its path, as the reference has it
  std::string own_;
  std::string temporary_;
  std::string path_;  // one of the first two
  std::optional<std::string> text_;
  std::optional<Told> told_;
};

// For GC.
struct ListedRecord {
  std::string path;
  protocol::Attachment attachment;  // by the file's name and without an interface if the record does not say
  Told told;
  bool believed = true;  // it names no owner, or one that its file is called after
};
// Those of this network that can be understood. What cannot be read goes to `unreadable`: code 5.
std::vector<ListedRecord> list_records(const std::string& folder, const std::string& network, ErrorList& unreadable);

}  // namespace cnio::flannel
