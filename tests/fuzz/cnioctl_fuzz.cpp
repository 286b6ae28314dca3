// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What cnioctl reads that may have been changed since it was written: a plan of gc, libcni's cache, the configurations
// in it and in the networks' folder, what is kept of calls that failed, and snapshots; and names that it writes for
// others; and the words that are typed.
#include <filesystem>
#include <unistd.h>

#include "cnio/base/whole_file.hpp"
#include "cnio/protocol/failures.hpp"

#include "cnioctl/bundle/redactor.hpp"
#include "cnioctl/cli.hpp"
#include "cnioctl/command_line/help.hpp"
#include "cnioctl/command_line/line.hpp"
#include "cnioctl/command_line/parse.hpp"
#include "cnioctl/gc_plan.hpp"
#include "cnioctl/picture/drawing.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/remembered.hpp"
#include "cnioctl/snapshot/diff.hpp"
#include "cnioctl/texts.hpp"
#include "cnioctl/world/cache.hpp"
#include "cnioctl/world/facts.hpp"
#include "cnioctl/world/failures.hpp"
#include "fuzz/fuzz.hpp"

namespace cnio::fuzz {
namespace {

void require_printable(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);  // beyond ASCII it is a part of what can be seen
    require(c == '\n' || (byte >= 0x20 && byte != 0x7f), "nothing drives a terminal", text);
  }
}

void fuzz_plan(std::string_view text) {
  const auto plan = cnioctl::parse_plan(text);
  if (!plan.ok()) return check_error(plan.error());
  const std::string written = cnioctl::format_plan(plan.value());
  const auto again = cnioctl::parse_plan(written);
  require(again.ok() && again.value().remove == plan.value().remove && again.value().choice == plan.value().choice,
          "writing and reading changes nothing", written);
  require(cnioctl::check_plan(again.value(), plan.value()).ok(), "a plan is up to date with itself", written);
}

void fuzz_cached(std::string_view text) {
  const auto cached = cnioctl::parse_cached(text);
  if (!cached.ok()) return check_error(cached.error());
  require(!cached.value().who.network.empty(), "what is kept is somebody's");
  const auto of = cnioctl::from_cache(cached.value());
  if (!of.ok()) return check_error(of.error());
  require_printable(cnioctl::shown(of.value().text()));
}

void fuzz_failures(std::string_view text) {
  const auto log = cnioctl::parse_failures(text);
  uint64_t count = 0;
  for (const auto& [kind, each] : log.totals) count += each;
  require(count >= log.failures.size(), "each is counted");
  for (const protocol::Failure& each : log.failures) {
    const auto again = cnioctl::parse_failures(protocol::failure_line(each));
    require(again.failures.size() == 1 && again.failures.front().verb == each.verb, "what is written is read",
            each.msg);
  }
  const std::string kept = protocol::newer_failures(std::string(text));
  require(kept.size() <= text.size() + protocol::kMostFailures, "less is kept");
  require(protocol::newer_failures(kept) == kept, "what is short stays as it is", kept);
}

// A folder for this process alone, removed at its end.
class Folder {
 public:
  Folder() { require(mkdtemp(path_.data()) != nullptr, "a folder can be made"); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "cnio-fuzz-cnioctl-XXXXXX";
};

void fuzz_networks(std::string_view text) {
  static const Folder kFolder;
  const std::string file = kFolder.path() + "/10-x.conflist";
  require(put_whole_file(file, kFolder.path() + "/new", text).ok(), "the file can be written");
  cnioctl::Report report;
  const auto networks = cnioctl::read_networks(kFolder.path(), report);
  require(networks.size() <= 1, "a file is one network");
  require_printable(report.text());
  const auto pools = cnioctl::count_pools({}, networks);
  for (const auto& each : pools) require(!each.pools.empty(), "who has pools has some", each.network);
}

void fuzz_snapshot(std::string_view text) {
  const auto snapshot = cnioctl::parse_snapshot(text);
  if (!snapshot.ok()) return check_error(snapshot.error());
  const auto nothing = protocol::Json::object();
  require(cnioctl::changes_between(snapshot.value(), snapshot.value()).empty(), "nothing changes by itself");
  require_printable(cnioctl::diff(nothing, snapshot.value(), false).out);
  require_printable(cnioctl::diff(snapshot.value(), nothing, false).out);
}

// What names become where they are written for others.
void fuzz_texts(std::string_view text) {
  const std::string escaped = cnioctl::xml_escaped(cnioctl::shown(text));
  require(escaped.find_first_of("<>\"'") == std::string::npos, "no name is markup", escaped);
  cnioctl::Redactor redactor({"default/web", std::string(text)}, "node");
  require(redactor.redacted("web is " + std::string(text)).starts_with("pod-1 is "), "a name is redacted");
}

// Words, one a line.
void fuzz_command_line(std::string_view text) {
  const cnioctl::CommandLine all = cnioctl::command_line();
  cnioctl::Line line;
  const auto parsed = cnioctl::parse(all, cnioctl::split_at(text, '\n'), line);
  if (!parsed.wrong.empty()) return require_printable(cnioctl::usage(all, parsed.verb, parsed.wrong).err);
  require(parsed.ended || (parsed.verb != nullptr && parsed.verb->run != nullptr), "there is something to do");
  require(!cnioctl::help_text(all, parsed.verb).empty(), "there is help for it");
}

void fuzz_one(std::string_view text) {
  fuzz_command_line(text);
  fuzz_snapshot(text);
  fuzz_texts(text);
  fuzz_plan(text);
  fuzz_cached(text);
  fuzz_failures(text);
  fuzz_networks(text);
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
