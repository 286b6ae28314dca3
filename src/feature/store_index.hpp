// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/feature/reservation.hpp"

namespace cnio::feature {

// Who has what in a store's folder, without reading its files: a help that may be lost at any time, and is never
// believed where it matters, since a holder's file is read before anything follows from it, and an address is reserved
// by making its file.
//
// It is a file in kFolder, outside the store, whose files other programs list and read; one for each store, called
// after the folder's device and inode number. It is used under the store's lock only.
//
// How it knows that it is stale: whoever makes, removes or renames a file in the store sets the folder's modification
// time. After each change of our own we set that time ourselves, to the present second with nanoseconds drawn by lot,
// and record it, together with the time of that setting (ctime), which nobody can choose. Any later change by anybody
// gives the folder another time, even one in the same tick of the kernel's clock, which counts in steps of
// milliseconds: in that step alone two changes could not be told apart by the kernel's own times. A store whose file
// system does not keep nanoseconds, or lets us set no time, has no index. Not noticed: content written into a file that
// is there already, which no plugin does; and a change made without the lock within the microseconds of one of our own.
//
// A process that dies while it changes the index leaves it marked as unusable. The machine's end takes it away: kFolder
// is kept in memory.
class StoreIndex {
 public:
  static constexpr char kFolder[] = "/run/cnio";

  // The index of the folder if there is one that describes it as it is now.
  static std::optional<StoreIndex> open(int folder);
  // Makes it anew. Nothing if that cannot be done here; nobody is hurt by that.
  static std::optional<StoreIndex> make(int folder, const std::vector<Reservation>& reservations);

  StoreIndex(StoreIndex&& other) noexcept;
  StoreIndex& operator=(StoreIndex&& other) noexcept;
  StoreIndex(const StoreIndex&) = delete;
  StoreIndex& operator=(const StoreIndex&) = delete;
  ~StoreIndex();

  [[nodiscard]] bool holds(const IpAddr& addr) const;
  // The addresses of the container's attachments, and perhaps of another container.
  [[nodiscard]] std::vector<IpAddr> of_container(const std::string& container_id) const;

  // Before a change of the folder: from here on it is unusable for others, until end_change.
  void begin_change();
  void add(const IpAddr& addr, const std::string& container_id);
  void remove(const IpAddr& addr);
  void end_change(int folder);

 private:
  struct Header;
  struct Slot;
  class Table;

  StoreIndex(void* memory, size_t size) : memory_(memory), size_(size) {}
  static std::optional<StoreIndex> map(int file, size_t size);
  [[nodiscard]] Header& header() const;
  [[nodiscard]] Table by_address() const;
  [[nodiscard]] Table by_container() const;

  void* memory_;
  size_t size_;
  bool full_ = false;
};

}  // namespace cnio::feature
