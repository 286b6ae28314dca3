// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/link.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::feature {

// A veth pair that an ADD has made for an attachment, as it was recorded.
struct RecordedPair {
  std::string network;
  protocol::Attachment attachment;
  uint64_t host = 0;    // the number of the host's network namespace: several hosts may share one /run
  std::string prefix;   // how the host end's name begins
  MacAddr host_mac;     // of the host end, chosen by us at random: tells pairs apart
  MacAddr sandbox_mac;  // of the other end, when it was made
  std::string config;   // the configuration of that ADD, as it came on stdin; empty if it was too long to be kept

  // What is known once both ends are there and the IPAM plugin has answered; an ADD that was killed before has none.
  std::string host_name;
  net::IfIndex host_index = net::IfIndex::kNone;
  std::vector<IpAddr> addresses;
};

// What was made for one interface of one container, in whatever network: kept where neither a pod nor another program
// can change it, so that what a pod says of itself need not be believed, and found when the network has another name
// by now, its bridge is gone, or somebody has changed the alias of a link.
//
// One file in kRunFolder/attachments for each attachment, called after a hash of its two names, 0600; a line of JSON
// for each thing that becomes known. Lines that are not whole, or not understood, mean nothing. It goes with the
// machine's end, as the links do. Whoever has no record (an attachment of an older version, a host without a writable
// /run) is found by the marks on its links.
class AttachmentRecord {
 public:
  // For ADD: makes it if it is missing. Errors: code 5.
  static Result<AttachmentRecord> open(const protocol::Attachment& attachment);
  // For DEL: nothing if there is none. Errors: code 5.
  static Result<std::optional<AttachmentRecord>> find(const protocol::Attachment& attachment);
  // For GC: all records, but for those of the attachments in `except`, whose files are not read. Errors: code 5.
  static Result<std::vector<AttachmentRecord>> list_without(const std::set<protocol::Attachment>& except);

  // The pairs on the host of this number that may be there still, oldest first.
  [[nodiscard]] std::vector<RecordedPair> pairs_on(uint64_t host) const;

  // Before the pair is made. Errors: code 5.
  Status add(const RecordedPair& pair);
  // What `pair` knows by now. Errors: code 5.
  Status complete(const RecordedPair& pair);
  // The pair is gone. The file goes with the last. Errors: code 5.
  Status forget(const RecordedPair& pair);

 private:
  AttachmentRecord(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}
  static Result<std::optional<AttachmentRecord>> read(const std::string& path, int flags);
  void understand(std::string_view line);
  Status append(std::string line);

  std::string path_;
  UniqueFd file_;
  std::vector<RecordedPair> pairs_;
};

}  // namespace cnio::feature
