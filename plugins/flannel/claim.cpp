// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "flannel/claim.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <unistd.h>
#include <utility>

#include "cnio/base/host_lock.hpp"
#include "cnio/base/whole_file.hpp"
#include "cnio/protocol/plugin.hpp"

#include "flannel/record.hpp"

namespace cnio::flannel {
namespace {

using protocol::Request;

constexpr char kBelow[] = "subnets";
constexpr size_t kMaxClaim = size_t{16} * 1024;
constexpr std::chrono::milliseconds kPatience{5'000};

struct Claim {
  std::string network;
  std::string data_dir;
};

std::string format_claim(const Claim& claim) { return claim.network + "\n" + claim.data_dir; }

// One that cannot be understood is nobody's.
Claim parse_claim(const std::string& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  return {text.substr(0, end), text.substr(std::min(end + 1, text.size()))};
}

std::string path_of(const Cidr& subnet) {
  std::string name = subnet.network().to_string();
  std::replace(name.begin(), name.end(), '/', '_');
  return std::string(kRunFolder) + "/" + kBelow + "/" + name;
}

Result<bool> put_claim(const std::string& path, const Claim& claim, IfTaken if_taken) {
  const std::string temporary = path + "." + std::to_string(getpid());
  auto put = put_whole_file(path, temporary, format_claim(claim), {.if_taken = if_taken});
  if (put.ok() || put.error().errnum() != ENOENT) return put;
  CNIO_TRY(make_run_folder(kBelow));
  return put_whole_file(path, temporary, format_claim(claim), {.if_taken = if_taken});
}

// What cannot be looked at counts as there.
bool has_records(const Claim& claim) {
  ErrorList unreadable;
  return !list_records(claim.data_dir, claim.network, unreadable).empty() || !unreadable.empty();
}

Error taken(const Cidr& subnet, const Claim& by, const std::string& network) {
  return Error::make(Code::kConflict, "subnet " + subnet.network().to_string() + " is given out by network " +
                                          quote(by.network) + ": pods of " + quote(network) +
                                          " would get the same addresses")
      .hint("let \"subnetFile\" of one of them name another file, or remove the pods that " + by.data_dir + " records");
}

// Everybody records first and looks here then. So if the other network adds a pod at this moment, either it sees the
// claim that is put here, or its record is seen.
Status take_over(const std::string& path, const Cidr& subnet, const Claim& own) {
  CNIO_LET(const HostLocks locks, HostLocks::open());
  CNIO_LET(const HostLock lock, locks.take({HostLockKey::Purpose::kSubnets, 0}, LockKind::kAlone, path, kPatience));
  CNIO_LET(const std::optional<std::string> text, read_own_file(path, kMaxClaim));
  const Claim now = parse_claim(text.value_or(""));
  if (now.network == own.network) return {};
  if (has_records(now)) return taken(subnet, now, own.network);
  CNIO_TRY(put_claim(path, own, IfTaken::kReplace));
  return has_records(now) ? Status(taken(subnet, now, own.network)) : Status();
}

Status claim_subnet(const Cidr& subnet, const Claim& own) {
  const std::string path = path_of(subnet);
  CNIO_LET(std::optional<std::string> text, read_own_file(path, kMaxClaim));
  if (!text) {
    CNIO_LET(const bool done, put_claim(path, own, IfTaken::kLeave));
    if (done) return {};
    CNIO_LET(text, read_own_file(path, kMaxClaim));
  }
  if (text && parse_claim(*text).network == own.network) return {};
  return take_over(path, subnet, own);
}

}  // namespace

Status claim_subnets(const Request& request, const std::string& data_dir, const ipam::NodeSubnets& subnets) {
  for (const Cidr& subnet : subnets.subnets) {
    const Status claimed = claim_subnet(subnet, {request.network, data_dir});
    if (claimed.ok()) continue;
    if (claimed.error().code() != Code::kIo) return claimed;
    protocol::note(request.plugin, claimed.error().msg() + ": whether another network gives out " +
                                       subnet.network().to_string() + " is not known");
  }
  return {};
}

}  // namespace cnio::flannel
