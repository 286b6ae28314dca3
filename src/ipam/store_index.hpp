// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/ipam/reservation.hpp"
#include "cnio/ipam/reservation_origin.hpp"

namespace cnio::ipam {

// Who has what in a store's folder, without reading its files: a help that may be lost at any time, and is never
// believed where it matters, since a holder's file is read before anything follows from it, and an address is reserved
// by making its file.
//
// It is a file in kRunFolder, outside the store, whose files other programs list and read; one for each store, called
// after the folder's device and inode number. It is used under the store's lock only, and by those who have the host's
// lock of the store, too: a lock file that somebody removes does not let two change it at a time. Even then nobody's
// memory goes away: one that is made anew is another file.
//
// An ADD that fails because all is taken must cost little, for it is tried again and again while others wait for the
// lock. So the index also knows which reservations were odd when it was made: nobody's, or of an earlier boot. What has
// been added since is neither.
//
// How it knows that it is stale: whoever makes, removes or renames a file in the store sets the folder's modification
// time. After each change of our own we set that time ourselves, to the present second with nanoseconds drawn by lot,
// and record it, together with the time of that setting (ctime), which nobody can choose. Any later change by anybody
// gives the folder another time, even one in the same tick of the kernel's clock, which counts in steps of
// milliseconds: in that step alone two changes could not be told apart by the kernel's own times. A store whose file
// system does not keep nanoseconds, or lets us set no time, has no index. Not noticed: content written into a file that
// is there already, which no plugin does; and a change made without the lock within the microseconds of one of our own.
//
// A process that dies while it changes the index leaves it marked as unusable. The machine's end takes it away: that
// folder is kept in memory.
class StoreIndex {
 public:
  // What is odd about a reservation; bits.
  enum class Oddity : uint8_t {
    kNone = 0,
    kForeign = 1,      // its file names no attachment
    kEarlierBoot = 2,  // this machine made it before the boot in which the index was made
  };
  using In = std::function<bool(const IpAddr&)>;

  // The index of the folder if there is one that describes it as it is now.
  static std::optional<StoreIndex> open(const struct stat& folder);
  // Makes it anew, in this boot. Nothing if that cannot be done here; nobody is hurt by that.
  static std::optional<StoreIndex> make(int folder, const std::vector<Reservation>& reservations,
                                        const std::optional<Origin>& now);

  StoreIndex(StoreIndex&& other) noexcept;
  StoreIndex& operator=(StoreIndex&& other) noexcept;
  StoreIndex(const StoreIndex&) = delete;
  StoreIndex& operator=(const StoreIndex&) = delete;
  ~StoreIndex();

  [[nodiscard]] bool holds(const IpAddr& addr) const;
  // The addresses of the container's attachments, and perhaps of another container.
  [[nodiscard]] std::vector<IpAddr> of_container(const std::string& container_id) const;

  [[nodiscard]] size_t count(const In& in) const;
  // In order. REQUIRES for kEarlierBoot: knows_boot.
  [[nodiscard]] std::vector<IpAddr> with(Oddity oddity, const In& in) const;
  // Was it made in the same boot of the same machine?
  [[nodiscard]] bool knows_boot(const Origin& now) const;

  // Before a change of the folder: from here on it is unusable for others, until end_change.
  void begin_change();
  void add(const IpAddr& addr, const std::string& container_id, uint8_t oddities = 0);
  void remove(const IpAddr& addr);
  // Its container goes on in this boot. No change of the folder.
  void forget_oddities(const IpAddr& addr);
  void end_change(int folder);

 private:
  struct Header;
  struct Slot;
  class Table;

  StoreIndex(void* memory, size_t size) : memory_(memory), size_(size) {}
  static uint8_t oddities_of(const Reservation& reservation, const std::optional<Origin>& now);
  static std::optional<StoreIndex> map(int file, size_t size);
  [[nodiscard]] Header& header() const;
  [[nodiscard]] Table by_address() const;
  [[nodiscard]] Table by_container() const;

  void* memory_;
  size_t size_;
  bool full_ = false;
};

}  // namespace cnio::ipam
