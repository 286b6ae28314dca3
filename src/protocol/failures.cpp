// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/failures.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <map>
#include <optional>
#include <sys/stat.h>
#include <vector>

#include <nlohmann/json.hpp>

#include "cnio/base/file_lock.hpp"
#include "cnio/base/host_lock.hpp"
#include "cnio/base/own.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/base/whole_file.hpp"

namespace cnio::protocol {
namespace {

constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
constexpr unsigned kFileMode = 0600;
constexpr mode_t kOfOthers = 0077;
constexpr size_t kMostText = 1024;  // bytes of a message
constexpr size_t kMostName = 320;
constexpr size_t kStatusPart = 8;
constexpr std::string_view kCount = R"("count":)";

// What a message says of CNI_ARGS stands behind that name; what JSON's parser has read last, behind these words.
std::string kept_text(const std::string& text) {
  std::string kept = text.substr(0, kMostText);
  for (const std::string_view mark : {"CNI_ARGS", "last read:"}) {
    const size_t at = kept.find(mark);
    if (at != std::string::npos) kept.replace(at + mark.size(), std::string::npos, " ...");
  }
  return kept;
}

// Of one that other users can neither read nor write.
std::optional<size_t> size_of(const UniqueFd& file) {
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return std::nullopt;
  const bool own = S_ISREG(info.st_mode) && info.st_uid == own_user() && (info.st_mode & kOfOthers) == 0;
  return own ? std::optional(static_cast<size_t>(info.st_size)) : std::nullopt;
}

// STATUS, which changes nothing, makes no folder.
Result<UniqueFd> open_kept(bool may_make_folder) {
  auto file = open_file(kFailures, kFlags, kFileMode);
  if (file.ok() || file.error().errnum() != ENOENT || !may_make_folder) return file;
  CNIO_TRY(make_run_folder());
  return open_file(kFailures, kFlags, kFileMode);
}

// One that writes it anew at the same time does it for us; our line is lost then. So is one that somebody appends to
// the file of before.
Status make_room(const UniqueFd& file, const std::string& line) {
  CNIO_LET(const bool alone, try_lock_byte(file.get(), 0, kFailures, LockKind::kAlone));
  if (!alone) return {};
  const auto all = read_all(file.get(), 2 * kMostFailures, kFailures);  // what is larger is none of ours
  const std::string kept = all.ok() ? newer_failures(all.value()) : std::string();
  CNIO_TRY(put_whole_file(kFailures, std::string(kFailures) + ".new", kept + line));
  return {};
}

Status append(const std::string& line, bool may_make_folder) {
  CNIO_LET(const UniqueFd file, open_kept(may_make_folder));
  const auto size = size_of(file);
  if (!size) return {};
  if (*size + line.size() > kMostFailures) return make_room(file, line);
  return write_all(file.get(), line, kFailures);
}

std::vector<std::string_view> lines_of(std::string_view all) {
  std::vector<std::string_view> out;
  for (size_t end = 0; !all.empty(); all.remove_prefix(std::min(end + 1, all.size()))) {
    end = std::min(all.find('\n'), all.size());
    if (end != 0) out.push_back(all.substr(0, end));
  }
  return out;
}

// `{"verb":"ADD","plugin":"bridge","code":102,`: lines that begin alike are counted together. Empty: it is none.
std::string_view kind_of(std::string_view line) {
  if (!line.starts_with(R"({"verb":)")) return {};
  size_t end = 0;
  for (int commas = 0; commas < 3; ++commas) {
    end = line.find(',', end);
    if (end == std::string_view::npos) return {};
    ++end;
  }
  return line.substr(0, end);
}

uint64_t count_of(std::string_view line, std::string_view kind) {
  line.remove_prefix(kind.size());
  if (!line.starts_with(kCount)) return 1;
  line.remove_prefix(kCount.size());
  uint64_t count = 0;
  (void)std::from_chars(line.data(), line.data() + line.size(), count);
  return count;
}

bool is_count(std::string_view line, std::string_view kind) { return line.substr(kind.size()).starts_with(kCount); }

}  // namespace

std::string failure_line(const Failure& failure) {
  Json line = Json::object();
  line["verb"] = failure.verb;
  line["plugin"] = failure.plugin;
  line["code"] = failure.code;
  line["time"] = failure.time;
  line["tookMs"] = failure.took_ms;
  line["network"] = failure.network.substr(0, kMostName);
  line["container"] = failure.attachment.container_id.substr(0, kMostName);
  line["ifname"] = failure.attachment.ifname.substr(0, kMostName);
  line["pod"] = failure.pod;
  line["msg"] = kept_text(failure.msg);
  line["details"] = kept_text(failure.details);
  return line.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string newer_failures(const std::string& all, size_t most) {
  const auto lines = lines_of(all);
  std::map<std::string_view, uint64_t> counts;
  size_t left = most / 2;
  size_t left_of_status = left / kStatusPart;
  std::string kept;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::string_view kind = kind_of(*line);
    if (kind.empty()) continue;
    const bool status = kind.starts_with(R"({"verb":"STATUS")");
    size_t& room = status ? left_of_status : left;
    const size_t size = line->size() + 1;
    if (is_count(*line, kind) || size > room) {
      if (!is_count(*line, kind)) room = 0;  // none that is older
      counts[kind] += count_of(*line, kind);
      continue;
    }
    room -= size;
    kept.insert(0, std::string("\n").append(*line));
  }
  std::string out;
  for (const auto& [kind, count] : counts) {
    out.append("\n").append(kind).append(kCount).append(std::to_string(count)).append("}");
  }
  return out + kept;
}

// A line begins with a line's end: what a writer that died has left in front of it is a line of its own then.
void keep_failure(const Failure& failure) {
  (void)append(std::string("\n").append(failure_line(failure)), failure.verb != "STATUS");
}

}  // namespace cnio::protocol
