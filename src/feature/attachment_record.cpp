// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/feature/attachment_record.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cnio/base/host_lock.hpp"
#include "cnio/base/sha512.hpp"

namespace cnio::feature {
namespace {

using Json = nlohmann::json;

constexpr char kBelow[] = "attachments";
constexpr unsigned kFileMode = 0600;
constexpr int kFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
constexpr size_t kNameDigits = 32;
constexpr size_t kMaxConfig = size_t{16} * 1024;    // of one that is kept
constexpr size_t kMaxRecord = size_t{1024} * 1024;  // a larger file is none of ours

const std::string& folder() {
  static const std::string kFolder = std::string(kRunFolder) + "/" + kBelow;
  return kFolder;
}

std::string path_of(const protocol::Attachment& attachment) {
  return folder() + "/" + sha512_hex(attachment.container_id + '\0' + attachment.ifname, kNameDigits);
}

// The first line about a pair, by which all others find it.
Json line_of(const RecordedPair& pair) {
  return {{"made", pair.host_mac.to_string()},
          {"network", pair.network},
          {"container", pair.attachment.container_id},
          {"ifname", pair.attachment.ifname},
          {"host", pair.host},
          {"prefix", pair.prefix},
          {"sandboxMac", pair.sandbox_mac.to_string()},
          {"config", pair.config.size() <= kMaxConfig ? pair.config : std::string()}};
}

Json completion_of(const RecordedPair& pair) {
  Json addresses = Json::array();
  for (const IpAddr& address : pair.addresses) addresses.push_back(address.to_string());
  return {{"of", pair.host_mac.to_string()},
          {"name", pair.host_name},
          {"index", static_cast<int>(pair.host_index)},
          {"addresses", std::move(addresses)}};
}

std::string text(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

uint64_t number(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

RecordedPair pair_of(const Json& line, const MacAddr& mac) {
  RecordedPair pair;
  pair.host_mac = mac;
  pair.network = text(line, "network");
  pair.attachment = {text(line, "container"), text(line, "ifname")};
  pair.host = number(line, "host");
  pair.prefix = text(line, "prefix");
  pair.sandbox_mac = MacAddr::parse(text(line, "sandboxMac")).value_or(MacAddr());
  pair.config = text(line, "config");
  return pair;
}

void complete_by(const Json& line, RecordedPair& pair) {
  pair.host_name = text(line, "name");
  pair.host_index = net::IfIndex{static_cast<int>(number(line, "index"))};
  pair.addresses.clear();
  const auto addresses = line.find("addresses");
  if (addresses == line.end() || !addresses->is_array()) return;
  for (const Json& each : *addresses) {
    const auto address = each.is_string() ? IpAddr::parse(each.get<std::string>()) : std::nullopt;
    if (address) pair.addresses.push_back(*address);
  }
}

}  // namespace

void AttachmentRecord::understand(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return;
  const auto find = [&](const std::string& mac) {
    return std::find_if(pairs_.begin(), pairs_.end(),
                        [&](const auto& pair) { return pair.host_mac.to_string() == mac; });
  };
  if (const auto mac = MacAddr::parse(text(json, "made"))) pairs_.push_back(pair_of(json, *mac));
  if (const auto pair = find(text(json, "of")); pair != pairs_.end()) complete_by(json, *pair);
  if (const auto pair = find(text(json, "gone")); pair != pairs_.end()) pairs_.erase(pair);
}

Result<std::optional<AttachmentRecord>> AttachmentRecord::read(const std::string& path, int flags) {
  auto file = open_file(path, kFlags | flags, kFileMode);
  if (!file.ok() && file.error().errnum() == ENOENT) return std::optional<AttachmentRecord>();
  if (!file.ok()) return std::move(file).error();
  AttachmentRecord record(path, std::move(file).value());
  CNIO_LET(const auto all, read_regular(record.file_.get(), kMaxRecord, path));
  if (!all) return Error::make(Code::kIo, path + " is no regular file").hint("no plugin put it there: remove it");
  for (std::string_view rest = *all; !rest.empty();) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // its writer died
    record.understand(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return std::optional(std::move(record));
}

Result<AttachmentRecord> AttachmentRecord::open(const protocol::Attachment& attachment) {
  const std::string path = path_of(attachment);
  CNIO_LET(auto record, read(path, O_CREAT));
  if (!record) {
    CNIO_TRY(make_run_folder(kBelow));
    CNIO_LET(record, read(path, O_CREAT));
  }
  if (!record) return Error::make(Code::kIo, "open " + path + ": its folder vanished");
  return *std::move(record);
}

Result<std::optional<AttachmentRecord>> AttachmentRecord::find(const protocol::Attachment& attachment) {
  return read(path_of(attachment), 0);
}

Result<std::vector<AttachmentRecord>> AttachmentRecord::list_without(const std::set<protocol::Attachment>& except) {
  std::set<std::string> kept;
  for (const protocol::Attachment& attachment : except) kept.insert(path_of(attachment));
  std::vector<AttachmentRecord> records;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(folder().c_str()), &closedir);
  if (!stream && errno == ENOENT) return records;
  if (!stream) return Error::sys("list " + folder(), errno);
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr && errno != 0) return Error::sys("list " + folder(), errno);
    if (entry == nullptr) return records;
    const std::string path = folder() + "/" + static_cast<const char*>(entry->d_name);
    if (entry->d_type != DT_REG || kept.contains(path)) continue;
    CNIO_LET(auto record, read(path, 0));
    if (record) records.push_back(*std::move(record));
  }
}

std::vector<RecordedPair> AttachmentRecord::pairs_on(uint64_t host) const {
  std::vector<RecordedPair> out;
  std::copy_if(pairs_.begin(), pairs_.end(), std::back_inserter(out),
               [&](const RecordedPair& pair) { return pair.host == host; });
  return out;
}

// In one piece: whoever reads it meanwhile sees all of it or nothing.
Status AttachmentRecord::append(std::string line) {
  line += '\n';
  return write_all(file_.get(), line, path_);
}

namespace {

// Names of interfaces may hold any bytes; the file's name stands for them.
std::string format(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Status AttachmentRecord::add(const RecordedPair& pair) {
  CNIO_TRY(append(format(line_of(pair))));
  pairs_.push_back(pair);
  return {};
}

Status AttachmentRecord::complete(const RecordedPair& pair) { return append(format(completion_of(pair))); }

Status AttachmentRecord::forget(const RecordedPair& pair) {
  std::erase_if(pairs_, [&](const RecordedPair& each) { return each.host_mac == pair.host_mac; });
  if (!pairs_.empty()) return append(format({{"gone", pair.host_mac.to_string()}}));
  if (unlink(path_.c_str()) == 0 || errno == ENOENT) return {};
  return Error::sys("remove " + path_, errno);
}

}  // namespace cnio::feature
