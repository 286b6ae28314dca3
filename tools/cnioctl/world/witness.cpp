// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/witness.hpp"

#include <algorithm>
#include <ctime>
#include <sys/stat.h>

#include "cnioctl/input.hpp"
#include "cnioctl/runtime.hpp"

namespace cnio::cnioctl {
namespace {

constexpr int64_t kYoungSeconds = 600;

bool is_young(const Attached& attached, const LookAtFile& look) {
  return std::any_of(attached.addresses.begin(), attached.addresses.end(),
                     [&](const HeldAddress& each) { return look(each.file).young; });
}

// One address of before the boot says nothing of another of which it is not known when it was given.
bool is_all_of_known_origin(const Attached& attached) {
  return std::all_of(attached.addresses.begin(), attached.addresses.end(),
                     [](const HeldAddress& each) { return each.origin.has_value(); });
}

}  // namespace

Result<Witness> call_witness(const WitnessOptions& options, const protocol::Environment& environment) {
  Witness out;
  if (options.runtime != "none") {
    CNIO_LET(out, ask_runtime(options.runtime, environment));
  }
  if (options.valid_file.empty()) return out;
  CNIO_LET(const std::string text, read_input(options.valid_file));
  if (!out) out.emplace();
  out->merge(words_in(text));
  return out;
}

FileFacts look_at_file(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return {};
  std::string stamp = std::to_string(info.st_ino);
  for (const timespec& each : {info.st_mtim, info.st_ctim}) {
    stamp.append(" ").append(std::to_string(each.tv_sec)).append(".").append(std::to_string(each.tv_nsec));
  }
  return {std::move(stamp), static_cast<int64_t>(time(nullptr)) - info.st_mtim.tv_sec < kYoungSeconds};
}

// An ADD writes its record, then makes the cable, and an address comes meanwhile: whoever has the first of these alone
// may be in that very moment.
bool may_be_starting(const Attached& attached, const LookAtFile& look) {
  return attached.life() == Life::kGone && !attached.evidence.present && !attached.pairs.empty() &&
         look(attachment::AttachmentRecord::path_of(attached.who.attachment)).young;
}

Verdict judge(const Attached& attached, const Witness& witness, const LookAtFile& look) {
  if (witness && witness->contains(attached.who.attachment.container_id)) return {Life::kLive, "a runtime knows it"};
  if (may_be_starting(attached, look)) return {Life::kUnknown, "it may be in its ADD"};
  const bool partly = attached.life() == Life::kRebooted && !is_all_of_known_origin(attached);
  if (!partly && attached.life() != Life::kUnknown) return attached.verdict;
  if (witness && !is_young(attached, look)) return {Life::kGone, "no runtime knows it"};
  return {Life::kUnknown, "nothing says where its sandbox is"};
}

void believe(const std::set<std::string>& known, World& world) {
  const Witness witness = known;
  for (Attached& each : world.attached) each.verdict = judge(each, witness, look_at_file);
}

}  // namespace cnio::cnioctl
