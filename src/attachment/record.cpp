// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/record.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "cnio/attachment/json_text.hpp"
#include "cnio/base/host_lock.hpp"
#include "cnio/base/list_files.hpp"
#include "cnio/base/own.hpp"
#include "cnio/base/sha512.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/base/whole_file.hpp"

namespace cnio::attachment {
namespace {

using protocol::Json;  // one kind of JSON in a program: each makes it larger by a tenth

constexpr char kBelow[] = "attachments";
constexpr unsigned kFileMode = 0600;
constexpr int kFlags = O_NOFOLLOW | O_NONBLOCK;  // whatever is in its place: we neither follow it nor wait for it
constexpr size_t kFileNameDigits = 32;
constexpr size_t kMaxConfig = size_t{16} * 1024;    // of one that is kept
constexpr size_t kMostHistory = size_t{64} * 1024;  // a larger file is written anew, without pairs that are gone
constexpr size_t kMaxRecord = size_t{1024} * 1024;  // a larger file is none of ours

const std::string& folder() {
  static const std::string kFolder = std::string(kRunFolder) + "/" + kBelow;
  return kFolder;
}

void put(Json& line, const char* key, std::string value) { line[key] = std::move(value); }

// The first line about a pair, by which all others find it.
Json line_of(const RecordedPair& pair) {
  Json line = Json::object();
  put(line, "made", pair.host_mac.to_string());
  put(line, "network", pair.network);
  put(line, "container", pair.attachment.container_id);
  put(line, "ifname", to_json_text(pair.attachment.ifname));
  line["host"] = pair.host;
  put(line, "prefix", pair.prefix);
  put(line, "sandboxMac", pair.sandbox_mac.to_string());
  put(line, "config", pair.config.size() <= kMaxConfig ? pair.config : std::string());
  if (!pair.pod.empty()) put(line, "pod", pair.pod);
  return line;
}

Json completion_of(const RecordedPair& pair) {
  Json line = Json::object();
  put(line, "of", pair.host_mac.to_string());
  put(line, "name", pair.host_name);
  line["index"] = static_cast<uint64_t>(pair.host_index);
  line["peer"] = static_cast<uint64_t>(pair.sandbox_index);
  Json& addresses = line["addresses"] = Json::array();
  for (const IpAddr& address : pair.addresses) addresses.push_back(address.to_string());
  return line;
}

Json gone_line(const RecordedPair& pair) {
  Json line = Json::object();
  put(line, "gone", pair.host_mac.to_string());
  return line;
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
  pair.attachment = {text(line, "container"), from_json_text(text(line, "ifname"))};
  pair.host = number(line, "host");
  pair.prefix = text(line, "prefix");
  pair.sandbox_mac = MacAddr::parse(text(line, "sandboxMac")).value_or(MacAddr());
  pair.config = text(line, "config");
  pair.pod = text(line, "pod");
  return pair;
}

void complete_by(const Json& line, RecordedPair& pair) {
  pair.host_name = text(line, "name");
  pair.host_index = net::IfIndex{static_cast<int>(number(line, "index"))};
  pair.sandbox_index = net::IfIndex{static_cast<int>(number(line, "peer"))};
  pair.addresses.clear();
  const auto addresses = line.find("addresses");
  if (addresses == line.end() || !addresses->is_array()) return;
  for (const Json& each : *addresses) {
    const auto address = each.is_string() ? IpAddr::parse(each.get<std::string>()) : std::nullopt;
    if (address) pair.addresses.push_back(*address);
  }
}

std::string format(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'; }

// Is what cannot be opened for this reason none of ours? A folder that is closed to us, for one, as that of the host is
// to a process in a user namespace of its own.
bool means_nothing(int errnum) {
  return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP || errnum == EACCES || errnum == ENXIO;
}

bool is_name(std::string_view name) {
  return name.size() == kFileNameDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string AttachmentRecord::path_of(const protocol::Attachment& attachment) {
  return folder() + "/" + sha512_hex(attachment.container_id + '\0' + attachment.ifname, kFileNameDigits);
}

void AttachmentRecord::understand(std::string_view line) {
  const auto parsed = protocol::parse_json(line);
  if (!parsed.ok()) return;
  const Json& json = parsed.value();
  if (!json.is_object()) return;
  const auto find = [&](const std::string& mac) {
    return std::find_if(pairs_.begin(), pairs_.end(),
                        [&](const auto& pair) { return pair.host_mac.to_string() == mac; });
  };
  if (const auto mac = MacAddr::parse(text(json, "made"))) {
    RecordedPair pair = pair_of(json, *mac);
    // A copy under another name says nothing about that one.
    if (path_of(pair.attachment) == path_) pairs_.push_back(std::move(pair));
  }
  if (const auto pair = find(text(json, "of")); pair != pairs_.end()) complete_by(json, *pair);
  if (const auto pair = find(text(json, "gone")); pair != pairs_.end()) pairs_.erase(pair);
}

Result<AttachmentRecord> AttachmentRecord::understand_file(const std::string& path, Result<UniqueFd> file) {
  AttachmentRecord record(path);
  if (!file.ok() && !means_nothing(file.error().errnum())) return std::move(file).error();
  record.foreign_ = !file.ok() && file.error().errnum() != ENOENT;
  if (!file.ok()) return record;
  struct stat info {};
  if (fstat(file.value().get(), &info) != 0) return Error::sys("look at " + path, errno);
  record.foreign_ = !S_ISREG(info.st_mode) || !is_own(info) || info.st_size > static_cast<off_t>(kMaxRecord);
  if (record.foreign_) return record;
  CNIO_LET(const std::string all, read_sized(file.value().get(), info.st_size, 2 * kMaxRecord, path));
  record.size_ = all.size();
  for (std::string_view rest = all; !rest.empty();) {
    const size_t end = rest.find('\n');
    record.torn_ = end == std::string_view::npos;  // its writer died, or had no space
    if (record.torn_) break;
    record.understand(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return record;
}

Result<AttachmentRecord> AttachmentRecord::read(const protocol::Attachment& attachment) {
  const std::string path = path_of(attachment);
  return understand_file(path, open_file(path, O_RDONLY | kFlags));
}

Result<std::vector<AttachmentRecord>> AttachmentRecord::list() {
  std::vector<AttachmentRecord> records;
  const auto opened = open_file(folder(), O_RDONLY | O_DIRECTORY);
  if (!opened.ok() && means_nothing(opened.error().errnum())) return records;
  if (!opened.ok()) return opened.error();
  std::vector<std::string> names;
  CNIO_TRY(list_files(opened.value().get(), folder(), [&](FileName file) {
    if (is_name(file.name)) names.push_back(std::move(file.name));
  }));
  for (const std::string& name : names) {
    const std::string path = folder() + "/" + name;
    auto file = open_file_at(opened.value().get(), name, O_RDONLY | kFlags, 0, path);
    CNIO_LET(AttachmentRecord record, understand_file(path, std::move(file)));
    if (!record.pairs_.empty()) records.push_back(std::move(record));
  }
  return records;
}

std::vector<RecordedPair> AttachmentRecord::pairs_on(uint64_t host) const& {
  return AttachmentRecord(*this).pairs_on(host);
}

std::vector<RecordedPair> AttachmentRecord::pairs_on(uint64_t host) && {
  std::erase_if(pairs_, [&](const RecordedPair& pair) { return pair.host != host; });
  return std::move(pairs_);
}

// In one piece: whoever reads it meanwhile sees all of it or nothing. Opened anew each time: somebody may have removed
// the file since.
Status AttachmentRecord::append(std::string text, int flags) {
  CNIO_LET(const UniqueFd file, open_file(path_, O_WRONLY | O_APPEND | kFlags | flags, kFileMode));
  if (torn_) text.insert(0, 1, '\n');
  const Status written = write_all(file.get(), text, path_);
  torn_ = !written.ok();
  if (written.ok()) size_ += text.size();
  return written;
}

Status AttachmentRecord::add(const RecordedPair& pair) {
  if (foreign_) CNIO_TRY(remove_file(path_));
  foreign_ = false;
  Status added = append(format(line_of(pair)), O_CREAT);
  if (!added.ok() && added.error().errnum() == ENOENT) {
    CNIO_TRY(make_run_folder(kBelow));
    added = append(format(line_of(pair)), O_CREAT);
  }
  CNIO_TRY(std::move(added));
  pairs_.push_back(pair);
  return {};
}

Status AttachmentRecord::complete(const RecordedPair& pair) {
  const auto own = std::find_if(pairs_.begin(), pairs_.end(),
                                [&](const RecordedPair& each) { return each.host_mac == pair.host_mac; });
  if (own == pairs_.end()) return {};  // that it could not be added has been said
  *own = pair;
  Status completed = append(format(completion_of(pair)), 0);
  if (completed.ok() || completed.error().errnum() != ENOENT) return completed;
  // Somebody has removed what we keep. The pair is there all the same.
  CNIO_TRY(make_run_folder(kBelow));
  return append(format(line_of(pair)) + format(completion_of(pair)), O_CREAT);
}

Status AttachmentRecord::forget(const RecordedPair& pair) {
  std::erase_if(pairs_, [&](const RecordedPair& each) { return each.host_mac == pair.host_mac; });
  if (foreign_) return {};
  if (!pairs_.empty() && size_ > kMostHistory) return rewrite();
  if (!pairs_.empty()) {
    Status noted = append(format(gone_line(pair)), 0);
    return noted.ok() || noted.error().errnum() == ENOENT ? Status() : std::move(noted);
  }
  return remove_file(path_);
}

Status AttachmentRecord::rewrite() {
  std::string all;
  for (const RecordedPair& pair : pairs_) all += format(line_of(pair)) + format(completion_of(pair));
  CNIO_TRY(put_whole_file(path_, path_ + ".new", all));
  size_ = all.size();
  torn_ = false;
  return {};
}

}  // namespace cnio::attachment
