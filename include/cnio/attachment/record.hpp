// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::attachment {

// A veth pair that an ADD has made for an attachment, as it was recorded.
struct RecordedPair {
  std::string network;
  protocol::Attachment attachment;
  uint64_t host = 0;    // the number of the host's network namespace: several hosts may share one /run
  std::string prefix;   // how the host end's name begins
  MacAddr host_mac;     // of the host end, chosen by us at random: tells pairs apart
  MacAddr sandbox_mac;  // of the other end, when it was made
  std::string config;   // the configuration of that ADD, as it came on stdin; empty if it was too long to be kept
  std::string pod;      // "default/web-7f9c", for people; empty: the runtime did not say

  // What is known once both ends are there and the IPAM plugin has answered; an ADD that was killed before has none.
  std::string host_name;
  net::IfIndex host_index = net::IfIndex::kNone;
  net::IfIndex sandbox_index = net::IfIndex::kNone;  // of the other end, in the namespace that it was made in
  std::vector<IpAddr> addresses;
};

// What was made for one interface of one container, in whatever network: kept where neither a pod nor another program
// can change it, so that what a pod says of itself need not be believed, and found when the network has another name
// by now, its bridge is gone, or somebody has changed the alias of a link.
//
// One file in kRunFolder/attachments for each attachment, called after a hash of its two names, 0600; a line of JSON
// for each thing that becomes known. Lines that are not whole, not understood or about another attachment mean nothing,
// as does a file that this user alone did not write. It goes with the machine's end, as the links do. Whoever has no
// record (an attachment of an older version, a host without a writable /run) is found by the marks on its links.
class AttachmentRecord {
 public:
  // Of one that is not there, or is none of ours, it is empty; nothing is made or changed. Errors: code 5.
  static Result<AttachmentRecord> read(const protocol::Attachment& attachment);
  // For GC: those that are not empty. Errors: code 5.
  static Result<std::vector<AttachmentRecord>> list();

  // Where that of the attachment is kept.
  static std::string path_of(const protocol::Attachment& attachment);

  // The pairs on the host of this number that may be there still, oldest first.
  [[nodiscard]] std::vector<RecordedPair> pairs_on(uint64_t host) const&;
  // The same of a record that nobody needs any more.
  [[nodiscard]] std::vector<RecordedPair> pairs_on(uint64_t host) &&;

  // Before the pair is made. Errors: code 5.
  Status add(const RecordedPair& pair);
  // What `pair` knows by now. Errors: code 5.
  Status complete(const RecordedPair& pair);
  // The pair is gone. The file goes with the last. Errors: code 5.
  Status forget(const RecordedPair& pair);

 private:
  explicit AttachmentRecord(std::string path) : path_(std::move(path)) {}
  static Result<AttachmentRecord> understand_file(const std::string& path, Result<UniqueFd> file);
  void understand(std::string_view line);
  Status append(std::string text, int flags);
  Status rewrite();

  std::string path_;
  std::vector<RecordedPair> pairs_;
  size_t size_ = 0;
  bool foreign_ = false;  // something else is in its place
  bool torn_ = false;     // the last line has no end
};

}  // namespace cnio::attachment
