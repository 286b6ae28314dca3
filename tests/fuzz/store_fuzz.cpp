// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A file in the folder of a network's reservations, left there by anybody: the first line of the input is its name, the
// rest its content. The store must work as before, respect what is not its own, and give no address twice.
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "cnio/base/unique_fd.hpp"
#include "cnio/ipam/reservation_store.hpp"

#include "fuzz/fuzz.hpp"
#include "support/own_run.hpp"

namespace cnio::fuzz {
namespace {

using ipam::Reservation;
using ipam::ReservationStore;

const protocol::Attachment kPod = {"pod1", "eth0"};
constexpr size_t kLongestName = 255;

// A folder for this process alone, removed at its end.
class Folder {
 public:
  Folder() {
    test::own_run_folder();
    require(mkdtemp(path_.data()) != nullptr, "a folder can be made");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void clear() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) std::filesystem::remove_all(entry.path());
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "cnio-fuzz-store-XXXXXX";
};

void check_holder(std::string_view content) {
  Reservation read{*IpAddr::parse("10.1.0.2"), "10.1.0.2", Reservation::State::kForeign, {}};
  ipam::parse_holder(content, read);
  require(!read.holder_text().empty(), "each state has a text");
  if (read.state != Reservation::State::kHeld) {
    require(read.holder == protocol::Attachment{}, "who holds nothing has no name");
    return;
  }
  require(
      read.held_by({read.holder.container_id, "eth0"}) == (read.holder.ifname.empty() || read.holder.ifname == "eth0"),
      "the old format stands for each interface");
  if (read.holder.ifname.empty()) return;
  Reservation again = read;
  ipam::parse_holder(ipam::format_holder(read.holder), again);
  require(again.state == Reservation::State::kHeld && again.holder == read.holder,
          "writing and reading changes nothing");
}

// The address that the store would give next, as an ADD finds it.
IpAddr free_address(const ReservationStore& store, const IpAddr& after) {
  IpAddr addr = after.next();
  while (store.taken(addr)) addr = addr.next();
  return addr;
}

size_t held_by_pod(ReservationStore& store) {
  ErrorList failures;
  const size_t count = store.find_by_attachment(kPod, failures).size();
  require(failures.empty(), "each file can be read");
  return count;
}

void add_and_delete(const std::string& folder) {
  IpAddr given = *IpAddr::parse("10.1.0.1");
  size_t before = 0;
  {
    auto store = ReservationStore::create(folder);
    if (!store.ok()) return check_error(store.error());
    require(store.value().reclaim_torn().ok(), "torn files can be removed");
    before = held_by_pod(store.value());
    given = free_address(store.value(), given);
    const Status reserved = store.value().reserve(kPod, {{0, given}});
    require(reserved.ok(), "an address can be reserved", reserved.ok() ? "" : reserved.error().msg());
  }
  auto store = ReservationStore::create(folder);
  require(store.ok() && store.value().taken(given), "what was reserved is taken");
  require(held_by_pod(store.value()) == before + 1, "who reserved holds it");
  require(store.value().last_given(0) == given, "what was given last is recorded");
  ErrorList failures;
  for (const Reservation& mine : store.value().find_by_attachment(kPod, failures)) {
    require(store.value().release(mine).ok(), "it can be released");
  }
  require(!store.value().taken(given), "what was released is free");
}

void fuzz_one(std::string_view text) {
  static const Folder folder;
  const std::string name(text.substr(0, std::min(text.find('\n'), text.size())));
  const std::string_view content = text.substr(std::min(name.size() + 1, text.size()));
  check_holder(content);
  const bool possible = !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
                        name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
  if (!possible) return;
  folder.clear();
  {
    const auto file = open_file(folder.path() + "/" + name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    require(file.ok() && write_all(file.value().get(), content, name).ok(), "the file can be written");
  }
  const auto addr = IpAddr::parse(name);
  Reservation read{addr.value_or(*IpAddr::parse("10.1.0.2")), name, Reservation::State::kForeign, {}};
  ipam::parse_holder(content, read);
  add_and_delete(folder.path());
  // Only what was torn, or the pod's, may be gone; the lock and the record of what was given last are the store's own.
  const bool own = read.state == Reservation::State::kTorn || read.held_by(kPod);
  if (addr && own) return;
  require(std::filesystem::exists(folder.path() + "/" + name), "what is not ours stays", name);
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
