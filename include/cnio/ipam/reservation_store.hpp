// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cnio/base/error_list.hpp"
#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/ipam/reservation.hpp"
#include "cnio/ipam/reservation_origin.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::ipam {

class StoreIndex;
class StoreLock;

// An address for an attachment from the range set with this number.
struct Grant {
  size_t set = 0;
  IpAddr address;
};

// The addresses given out on one network: the folder <dataDir>/<network>, in the format and under the lock of the
// reference's host-local, so that both can work on one folder at the same time.
//
//   lock                 empty, 0750; flock(2) held exclusively during each access; never removed by us
//   <address>            0600; "<container id>\r\n<ifname>": the address belongs to this attachment; with an Origin
//   last_reserved_ip.<n> 0600; the address that range set <n> gave last; kept when the address is released
//
// Only files whose name is an address are reservations; nothing else in the folder is read or removed. What is no
// regular file is not even opened, and no symbolic link is followed, nor if it takes the place of the folder itself. An
// object of this class holds the lock (src/ipam/store_lock.hpp) from its making to its end, but for those of `look` and
// `peek`.
//
// An index (src/ipam/store_index.hpp) says who has what without reading all files, where one can be kept; it is not
// believed but checked. Where it cannot, or is stale, all files are read, once, and it is made anew.
class ReservationStore {
 public:
  static constexpr std::chrono::milliseconds kLockLimit{20'000};
  using In = std::function<bool(const IpAddr&)>;

  // Locks the store, making the folder (0755) and its parents first. Waits at most `limit` for the lock.
  // Errors: code 11 if the lock is held by another for longer; else code 5.
  static Result<ReservationStore> create(const std::string& folder, std::chrono::milliseconds limit = kLockLimit);
  // The same for a folder that must not be made: nothing if there is none, or can be none at such a path, and therefore
  // no reservation.
  static Result<std::optional<ReservationStore>> open(const std::string& folder,
                                                      std::chrono::milliseconds limit = kLockLimit);
  // What is there at this moment, for looking only. Nothing is made. Somebody who has the lock is waited for, so that
  // one who keeps it shows; but while we have it, only the index is looked at. Without one that is right, and that
  // knows this boot, the lock is let go before files are. Nothing if there is no folder. REQUIRES: nothing is reserved
  // or released. Errors: code 11, code 5.
  static Result<std::optional<ReservationStore>> look(const std::string& folder, const std::optional<Origin>& now,
                                                      std::chrono::milliseconds limit);
  // The same without lock and index, for all that is there: nobody is waited for or kept waiting, and of what changes
  // meanwhile a part may show. Errors: code 5.
  static Result<std::optional<ReservationStore>> peek(const std::string& folder);
  // Whether `create` could make the folder now and a reservation could be written into it: rights, a file system that
  // is not read-only, room. Leaves no trace. Errors: code 50.
  static Status check_writable(const std::string& folder);

  ReservationStore(ReservationStore&&) noexcept;
  ReservationStore& operator=(ReservationStore&&) noexcept;
  ~ReservationStore();

  [[nodiscard]] bool taken(const IpAddr& addr) const;
  // How many different taken addresses satisfy `in`.
  [[nodiscard]] size_t count_taken(const In& in) const;

  // What the attachment holds, in either format. `failures` gains an error for each file that could not be read and
  // therefore may be the attachment's too. With kWithoutOrigin, for who does not ask where a reservation was made, it
  // may be left out.
  enum class Detail { kAll, kWithoutOrigin };
  [[nodiscard]] std::vector<Reservation> find_by_attachment(const protocol::Attachment& attachment, ErrorList& failures,
                                                            Detail detail = Detail::kAll);
  // Every reservation, ordered by address; `failures` as above. Reads every file, once in the life of the object.
  [[nodiscard]] const std::vector<Reservation>& reservations(ErrorList& failures);

  // The four that follow read no more files than those they return, if there is an index.
  // The reservations of one address: more than one if it is there in two spellings.
  [[nodiscard]] std::vector<Reservation> at(const IpAddr& addr, ErrorList& failures);
  // Taken addresses that satisfy `in` and may be of containers that this machine ran before its last boot: their
  // reservations' origins tell.
  [[nodiscard]] std::vector<IpAddr> of_earlier_boot(const Origin& now, const In& in, ErrorList& failures);
  // Taken addresses that satisfy `in` whose files are torn; whose files name no attachment.
  [[nodiscard]] std::vector<IpAddr> torn(const In& in, ErrorList& failures);
  [[nodiscard]] std::vector<IpAddr> foreign(const In& in, ErrorList& failures);

  // Frees the addresses of torn files.
  Status reclaim_torn();
  // The address that the set gave last; nothing if there is no record, it cannot be read, or is not an address.
  [[nodiscard]] std::optional<IpAddr> last_given(size_t set);
  // Reserves all addresses for the attachment and records them as given last, or reserves none. The origin, if there is
  // one, is attached where the file system can do that. What is no regular file where the record of the last address
  // should be is left alone, and nothing recorded.
  // REQUIRES: none is taken. Errors: code 5; code 11 if a file for an address appears in spite of the lock.
  Status reserve(const protocol::Attachment& attachment, const std::vector<Grant>& grants,
                 const std::optional<Origin>& origin = {});
  // Frees the address. A file that is gone already is a success.
  Status release(const Reservation& reservation);

  // Gives the reservation another origin: its attachment starts anew. Errors: code 5.
  [[nodiscard]] Status renew(const Reservation& reservation, const Origin& origin);

 private:
  struct Entry {
    IpAddr address;
    std::string file;
    bool may_be_regular = true;  // false: the folder says that it is something else

    bool operator<(const Entry& other) const { return std::tie(address, file) < std::tie(other.address, other.file); }
  };

  struct Cursor {
    UniqueFd file;
    size_t length = 0;              // of its text, as far as that was read
    std::optional<IpAddr> address;  // that was given last
  };

  ReservationStore(std::string folder, UniqueFd folder_fd, std::unique_ptr<StoreLock> lock);

  static Result<ReservationStore> lock(const std::string& folder, UniqueFd folder_fd, std::chrono::milliseconds limit);
  Status try_index(const std::optional<Origin>& now, std::chrono::milliseconds limit);
  Status list();
  void read_holders();
  void make_index();
  [[nodiscard]] std::vector<IpAddr> select(ErrorList& failures, const std::function<bool(const Reservation&)>& wanted);
  // Nothing if there is no index, or if it is wrong about the container.
  [[nodiscard]] std::optional<std::vector<Reservation>> find_by_index(const protocol::Attachment& attachment,
                                                                      Detail detail);
  [[nodiscard]] Result<std::optional<Reservation>> read_holder(const Entry& entry, Detail detail = Detail::kAll);
  [[nodiscard]] Result<bool> create_file(const std::string& name, std::string_view content,
                                         const std::optional<Origin>& origin = {});
  [[nodiscard]] Cursor* cursor(size_t set);
  [[nodiscard]] Status record_given(const Grant& grant);
  [[nodiscard]] Status remove(const std::string& name) const;
  [[nodiscard]] std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
  UniqueFd folder_fd_;
  std::unique_ptr<StoreLock> lock_;    // null if there is nobody to be kept out
  std::unique_ptr<StoreIndex> index_;  // null if there is none
  OriginAttribute attribute_;
  std::map<size_t, Cursor> cursors_;  // those that have been looked at
  bool listed_ = false;
  std::set<Entry> entries_;  // what the folder held when the lock was taken, if listed
  bool holders_read_ = false;
  std::vector<Reservation> reservations_;
  std::vector<Error> unreadable_;
};

}  // namespace cnio::ipam
