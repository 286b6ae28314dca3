// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ipam/store_index.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utility>

#include "cnio/base/host_lock.hpp"

namespace cnio::ipam {
namespace {

constexpr uint64_t kMagic = 0x32787869'6f696e63;  // of this format
constexpr size_t kMinCapacity = 256;              // slots
constexpr uint64_t kNobody = 0;                   // the number of what is no container's
constexpr int64_t kNanoseconds = 1'000'000'000;

// FNV-1a.
uint64_t number_of(const void* data, size_t size) {
  uint64_t number = 0xcbf29ce484222325;
  for (size_t i = 0; i < size; ++i) {
    number = (number ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3;
  }
  return number;
}

uint64_t number_of_container(const std::string& id) { return number_of(id.data(), id.size()) | 1; }

// 0: not known.
uint64_t number_of_boot(const std::optional<Origin>& now) {
  if (!now) return 0;
  const std::string text = now->boot + '\n' + now->host;
  return number_of(text.data(), text.size()) | 1;
}

int64_t nanoseconds(const timespec& time) { return time.tv_sec * kNanoseconds + time.tv_nsec; }

// The folder's times, by which a change of it shows.
struct Stamp {
  int64_t modified = 0;
  int64_t changed = 0;

  bool operator==(const Stamp&) const = default;
};

Stamp stamp_of(const struct stat& info) { return {nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)}; }

// Nanoseconds by lot: from what the kernel has drawn for this process when it started (getauxval(3), AT_RANDOM) and,
// for the changes after its first, from the time.
long draw(const timespec& now) {
  constexpr size_t kDrawn = 16;
  uint64_t lot = number_of(&now, sizeof now);
  const auto* drawn = reinterpret_cast<const void*>(getauxval(AT_RANDOM));  // NOLINT(performance-no-int-to-ptr)
  if (drawn != nullptr) {
    lot ^= number_of(drawn, kDrawn);
  }
  return static_cast<long>(lot % static_cast<uint64_t>(kNanoseconds));
}

// Gives the folder a modification time that no change by anybody else will give it.
std::optional<Stamp> set_stamp(int folder) {
  timespec now{};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return std::nullopt;
  now.tv_nsec = draw(now);
  const timespec times[2] = {{0, UTIME_OMIT}, now};
  struct stat info {};
  if (futimens(folder, times) != 0 || fstat(folder, &info) != 0) return std::nullopt;
  const Stamp stamp = stamp_of(info);
  return stamp.modified == nanoseconds(now) ? std::optional(stamp) : std::nullopt;
}

std::string file_of(const struct stat& folder) {
  return std::to_string(folder.st_dev) + "-" + std::to_string(folder.st_ino) + ".index";
}

}  // namespace

struct StoreIndex::Header {
  uint64_t magic = kMagic;
  uint64_t capacity = 0;  // of each table, a power of two
  uint64_t count = 0;     // used slots of each
  uint64_t usable = 0;    // 1, or 0 during a change
  uint64_t boot = 0;      // in which it was made
  Stamp stamp = {};       // the folder's
};

struct StoreIndex::Slot {
  uint8_t bytes[16];
  uint8_t size;      // of the address: 4 or 16; 0: free
  uint8_t oddities;  // in by_address only
  uint8_t unused[6];
  uint64_t container;

  [[nodiscard]] bool is(const IpAddr& addr) const {
    return size == addr.size() && std::memcmp(bytes, addr.data(), addr.size()) == 0;
  }
  [[nodiscard]] IpAddr address() const {
    return IpAddr::from_bytes(size == 4 ? Family::kIpv4 : Family::kIpv6, static_cast<const uint8_t*>(bytes));
  }
};

// An open hash table with linear probing: a slot's place is the first free one from its number's on.
class StoreIndex::Table {
 public:
  using Number = uint64_t (*)(const Slot&);

  Table(Slot* slots, size_t capacity, Number number) : slots_(slots), mask_(capacity - 1), number_(number) {}

  // Calls `visit` for each slot that may have this number, until it returns true; returns that slot or null.
  template <class Visit>
  [[nodiscard]] Slot* find(uint64_t number, Visit visit) const {
    size_t at = home(number);
    for (size_t steps = 0; steps <= mask_ && slots_[at].size != 0; ++steps, at = (at + 1) & mask_) {
      if (number_(slots_[at]) == number && visit(slots_[at])) return &slots_[at];
    }
    return nullptr;
  }
  template <class Visit>
  void each(Visit visit) const {
    for (size_t at = 0; at <= mask_; ++at) {
      if (slots_[at].size != 0) visit(slots_[at]);
    }
  }
  void insert(const Slot& slot) {
    size_t at = home(number_(slot));
    for (size_t steps = 0; steps <= mask_ && slots_[at].size != 0; ++steps) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
  // Moves those behind it up, so that none is cut off from its place by the gap.
  void erase(Slot* slot) {
    auto gap = static_cast<size_t>(slot - slots_);
    size_t next = (gap + 1) & mask_;
    for (size_t steps = 0; steps <= mask_ && slots_[next].size != 0; ++steps, next = (next + 1) & mask_) {
      const size_t wanted = home(number_(slots_[next]));
      if (((next - wanted) & mask_) < ((next - gap) & mask_)) continue;
      slots_[gap] = slots_[next];
      gap = next;
    }
    slots_[gap] = Slot{};
  }

 private:
  [[nodiscard]] size_t home(uint64_t number) const { return (number ^ number >> 32) & mask_; }

  Slot* slots_;
  size_t mask_;
  Number number_;
};

StoreIndex::StoreIndex(StoreIndex&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), size_(other.size_), full_(other.full_) {}

StoreIndex& StoreIndex::operator=(StoreIndex&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  std::swap(full_, other.full_);
  return *this;
}

StoreIndex::~StoreIndex() {
  if (memory_ != nullptr) (void)munmap(memory_, size_);
}

StoreIndex::Header& StoreIndex::header() const { return *static_cast<Header*>(memory_); }

StoreIndex::Table StoreIndex::by_address() const {
  auto* slots = reinterpret_cast<Slot*>(static_cast<char*>(memory_) + sizeof(Header));
  return {slots, header().capacity,
          [](const Slot& slot) { return number_of(static_cast<const uint8_t*>(slot.bytes), slot.size); }};
}

StoreIndex::Table StoreIndex::by_container() const {
  auto* slots = reinterpret_cast<Slot*>(static_cast<char*>(memory_) + sizeof(Header));
  return {slots + header().capacity, header().capacity, [](const Slot& slot) { return slot.container; }};
}

std::optional<StoreIndex> StoreIndex::map(int file, size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return std::nullopt;
  return StoreIndex(memory, size);
}

std::optional<StoreIndex> StoreIndex::open(const struct stat& folder) {
  const std::string path = std::string(kRunFolder) + "/" + file_of(folder);
  const auto file = open_file(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  struct stat info {};
  if (!file.ok() || fstat(file.value().get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const auto size = static_cast<size_t>(info.st_size);
  if (size < sizeof(Header)) return std::nullopt;
  auto index = map(file.value().get(), size);
  if (!index) return std::nullopt;
  const Header& header = index->header();
  const bool whole = header.magic == kMagic && std::has_single_bit(header.capacity) && header.capacity <= size &&
                     size == sizeof(Header) + 2 * header.capacity * sizeof(Slot);
  if (!whole || header.usable != 1 || header.stamp != stamp_of(folder)) return std::nullopt;
  return index;
}

uint8_t StoreIndex::oddities_of(const Reservation& reservation, const std::optional<Origin>& now) {
  const bool foreign = reservation.state == Reservation::State::kForeign;
  const bool earlier = now && reservation.origin && is_of_earlier_boot(*reservation.origin, *now);
  return static_cast<uint8_t>((foreign ? static_cast<uint8_t>(Oddity::kForeign) : 0) |
                              (earlier ? static_cast<uint8_t>(Oddity::kEarlierBoot) : 0));
}

std::optional<StoreIndex> StoreIndex::make(int folder, const std::vector<Reservation>& reservations,
                                           const std::optional<Origin>& now) {
  struct stat store {};
  if (fstat(folder, &store) != 0) return std::nullopt;
  const std::string path = std::string(kRunFolder) + "/" + file_of(store);
  // What is there is not cut but replaced: another process may have it in its memory, and would die of that.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return std::nullopt;
  const auto file = open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  // Twice as many slots as are needed now at least, so that the next ones have room.
  const size_t capacity = std::max(std::bit_ceil(reservations.size() * 3), kMinCapacity);
  const size_t size = sizeof(Header) + 2 * capacity * sizeof(Slot);
  if (!file.ok() || posix_fallocate(file.value().get(), 0, static_cast<off_t>(size)) != 0) return std::nullopt;
  auto index = map(file.value().get(), size);
  if (!index) return std::nullopt;
  index->header() = {.capacity = capacity, .boot = number_of_boot(now)};
  for (const Reservation& each : reservations) {
    index->add(each.address, each.holder.container_id, oddities_of(each, now));
  }
  index->end_change(folder);
  return index;
}

bool StoreIndex::holds(const IpAddr& addr) const {
  return by_address().find(number_of(addr.data(), addr.size()), [&](const Slot& slot) { return slot.is(addr); }) !=
         nullptr;
}

std::vector<IpAddr> StoreIndex::of_container(const std::string& container_id) const {
  std::vector<IpAddr> out;
  (void)by_container().find(number_of_container(container_id), [&](const Slot& slot) {
    out.push_back(slot.address());
    return false;
  });
  return out;
}

size_t StoreIndex::count(const In& in) const {
  size_t count = 0;
  by_address().each([&](const Slot& slot) { count += in(slot.address()) ? 1 : 0; });
  return count;
}

std::vector<IpAddr> StoreIndex::with(Oddity oddity, const In& in) const {
  std::vector<IpAddr> out;
  by_address().each([&](const Slot& slot) {
    if ((slot.oddities & static_cast<uint8_t>(oddity)) != 0 && in(slot.address())) out.push_back(slot.address());
  });
  std::sort(out.begin(), out.end());
  return out;
}

bool StoreIndex::knows_boot(const Origin& now) const { return header().boot == number_of_boot(now); }

void StoreIndex::begin_change() { std::atomic_ref(header().usable).store(0); }

void StoreIndex::add(const IpAddr& addr, const std::string& container_id, uint8_t oddities) {
  Header& head = header();
  // A table that is nearly full is slow, and a full one is none: it is made anew, larger, by whoever comes next.
  full_ = full_ || (head.count + 1) * 4 > head.capacity * 3;
  if (full_) return;
  Slot slot{};
  std::memcpy(static_cast<uint8_t*>(slot.bytes), addr.data(), addr.size());
  slot.size = static_cast<uint8_t>(addr.size());
  slot.oddities = oddities;
  slot.container = container_id.empty() ? kNobody : number_of_container(container_id);
  by_address().insert(slot);
  by_container().insert(slot);
  ++head.count;
}

void StoreIndex::remove(const IpAddr& addr) {
  const auto is_it = [&](const Slot& slot) { return slot.is(addr); };
  Slot* known = by_address().find(number_of(addr.data(), addr.size()), is_it);
  if (known == nullptr) return;
  Slot* twin = by_container().find(known->container, is_it);
  if (twin != nullptr) by_container().erase(twin);
  by_address().erase(known);
  --header().count;
}

void StoreIndex::forget_oddities(const IpAddr& addr) {
  Slot* known = by_address().find(number_of(addr.data(), addr.size()), [&](const Slot& slot) { return slot.is(addr); });
  if (known != nullptr) known->oddities = 0;
}

void StoreIndex::end_change(int folder) {
  if (full_) return;
  const std::optional<Stamp> stamp = set_stamp(folder);
  if (!stamp) return;
  header().stamp = *stamp;
  std::atomic_ref(header().usable).store(1);
}

}  // namespace cnio::ipam
