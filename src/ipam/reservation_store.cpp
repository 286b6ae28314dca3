// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/reservation_store.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/folder.hpp"
#include "cnio/base/interrupted.hpp"
#include "cnio/base/list_files.hpp"

#include "ipam/store_files.hpp"
#include "ipam/store_folder.hpp"
#include "ipam/store_index.hpp"
#include "ipam/store_lock.hpp"

namespace cnio::ipam {
namespace {

// More than a container id in an environment variable can have; a larger file is nobody's reservation.
constexpr size_t kMaxContent = size_t{256} * 1024;
// To read fewer files costs no more than to keep an index.
constexpr size_t kWorthAnIndex = 32;
// How often a folder that is removed while its lock is waited for is made again.
constexpr unsigned kFolderMode = 0755;
constexpr int kAttempts = 5;
// Where no folder can be, no reservation is either.
bool is_absent(const Error& error) {
  const int failure = error.errnum();
  return failure == ENOENT || failure == ENOTDIR || failure == ELOOP || failure == ENAMETOOLONG;
}

}  // namespace

ReservationStore::ReservationStore(std::string folder, UniqueFd folder_fd, std::unique_ptr<StoreLock> lock)
    : folder_(std::move(folder)), folder_fd_(std::move(folder_fd)), lock_(std::move(lock)) {}
ReservationStore::ReservationStore(ReservationStore&&) noexcept = default;
ReservationStore& ReservationStore::operator=(ReservationStore&&) noexcept = default;
ReservationStore::~ReservationStore() = default;

Result<ReservationStore> ReservationStore::create(const std::string& folder, std::chrono::milliseconds limit) {
  for (int attempt = 1;; ++attempt) {
    auto fd = open_folder(folder);
    if (!fd.ok() && fd.error().errnum() == ENOENT) {
      CNIO_TRY(create_folder(folder, kFolderMode));
      fd = open_folder(folder);
    }
    if (!fd.ok()) return std::move(fd).error();
    auto store = lock(folder, std::move(fd).value(), limit);
    if (store.ok() || store.error().errnum() != ENOENT || attempt == kAttempts) return store;
  }
}

Result<std::optional<ReservationStore>> ReservationStore::open(const std::string& folder,
                                                               std::chrono::milliseconds limit) {
  for (int attempt = 1;; ++attempt) {
    auto fd = open_folder(folder);
    if (!fd.ok() && is_absent(fd.error())) return std::optional<ReservationStore>();
    if (!fd.ok()) return std::move(fd).error();
    auto store = lock(folder, std::move(fd).value(), limit);
    if (store.ok()) return std::optional(std::move(store).value());
    if (store.error().errnum() != ENOENT || attempt == kAttempts) return std::move(store).error();
  }
}

Result<std::optional<ReservationStore>> ReservationStore::look(const std::string& folder,
                                                               const std::optional<Origin>& now,
                                                               std::chrono::milliseconds limit) {
  auto fd = open_folder(folder);
  if (!fd.ok() && fd.error().errnum() == ENOENT) return std::optional<ReservationStore>();
  if (!fd.ok()) return std::move(fd).error();
  ReservationStore store(folder, std::move(fd).value(), nullptr);
  CNIO_TRY(store.try_index(now, limit));
  if (!store.index_) CNIO_TRY(store.list());
  return std::optional(std::move(store));
}

Result<std::optional<ReservationStore>> ReservationStore::peek(const std::string& folder) {
  auto fd = open_folder(folder);
  if (!fd.ok() && is_absent(fd.error())) return std::optional<ReservationStore>();
  if (!fd.ok()) return std::move(fd).error();
  ReservationStore store(folder, std::move(fd).value(), nullptr);
  CNIO_TRY(store.list());
  return std::optional(std::move(store));
}

// For `look`: keeps the lock only if there is an index to be looked at.
Status ReservationStore::try_index(const std::optional<Origin>& now, std::chrono::milliseconds limit) {
  auto taken = StoreLock::take(folder_, folder_fd_.get(), StoreLock::File::kFind, limit);
  if (!taken.ok() && taken.error().errnum() == ENOENT) return {};  // nobody has ever locked it
  if (!taken.ok()) return std::move(taken).error();
  if (!now || !taken.value().keeps_ours_out()) return {};
  auto index = StoreIndex::open(taken.value().folder());
  if (!index || !index->knows_boot(*now)) return {};
  lock_ = std::make_unique<StoreLock>(std::move(taken).value());
  index_ = std::make_unique<StoreIndex>(*std::move(index));
  return {};
}

Status ReservationStore::check_writable(const std::string& folder) {
  CNIO_TRY(check_folder_writable(folder));
  struct stat info {};
  const std::string path = folder + "/lock";
  if (lstat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return {};
  return Error::make(Code::kNotAvailable, "lock " + path + ": not a regular file");
}

Result<ReservationStore> ReservationStore::lock(const std::string& folder, UniqueFd folder_fd,
                                                std::chrono::milliseconds limit) {
  CNIO_LET(StoreLock taken, StoreLock::take(folder, folder_fd.get(), StoreLock::File::kMake, limit));
  ReservationStore store(folder, std::move(folder_fd), std::make_unique<StoreLock>(std::move(taken)));
  // Where others could change it at the same time there is none.
  if (auto index = store.lock_->keeps_ours_out() ? StoreIndex::open(store.lock_->folder()) : std::nullopt) {
    store.index_ = std::make_unique<StoreIndex>(*std::move(index));
  } else {
    CNIO_TRY(store.list());
  }
  return store;
}

Status ReservationStore::list() {
  listed_ = true;
  return list_files(folder_fd_.get(), folder_, [this](FileName file) {
    if (const auto addr = IpAddr::parse(file.name)) entries_.insert({*addr, std::move(file.name), file.may_be_regular});
  });
}

bool ReservationStore::taken(const IpAddr& addr) const {
  if (index_) return index_->holds(addr);
  const auto found = entries_.lower_bound({addr, ""});
  return found != entries_.end() && found->address == addr;
}

size_t ReservationStore::count_taken(const In& in) const {
  if (index_) return index_->count(in);
  size_t count = 0;
  const IpAddr* previous = nullptr;  // one address may be there in two spellings
  for (const Entry& entry : entries_) {
    if ((previous == nullptr || *previous != entry.address) && in(entry.address)) ++count;
    previous = &entry.address;
  }
  return count;
}

std::vector<Reservation> ReservationStore::find_by_attachment(const protocol::Attachment& attachment,
                                                              ErrorList& failures, Detail detail) {
  if (auto known = find_by_index(attachment, detail)) return *std::move(known);
  std::vector<Reservation> found;
  for (const Reservation& reservation : reservations(failures)) {
    if (reservation.held_by(attachment)) found.push_back(reservation);
  }
  return found;
}

std::optional<std::vector<Reservation>> ReservationStore::find_by_index(const protocol::Attachment& attachment,
                                                                        Detail detail) {
  if (!index_ || holders_read_) return std::nullopt;
  std::vector<Reservation> found;
  for (const IpAddr& addr : index_->of_container(attachment.container_id)) {
    const Entry entry{addr, addr.to_string()};
    const auto reservation = read_holder(entry, detail);
    if (!reservation.ok() || !reservation.value()) return std::nullopt;
    if (reservation.value()->holder.container_id != attachment.container_id) return std::nullopt;
    if (reservation.value()->held_by(attachment)) found.push_back(*reservation.value());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  return found;
}

const std::vector<Reservation>& ReservationStore::reservations(ErrorList& failures) {
  if (!holders_read_) read_holders();
  for (const Error& error : unreadable_) failures.collect(error);
  return reservations_;
}

void ReservationStore::read_holders() {
  holders_read_ = true;
  if (!listed_) {
    if (Status listed = list(); !listed.ok()) unreadable_.push_back(std::move(listed).error());
  }
  for (const Entry& entry : entries_) {
    auto reservation = read_holder(entry);
    if (!reservation.ok()) {
      unreadable_.push_back(std::move(reservation).error());
    } else if (reservation.value()) {
      reservations_.push_back(*std::move(reservation).value());
    }
  }
  make_index();
}

// From what has been read. Not of a store where something has to be done or looked at first.
void ReservationStore::make_index() {
  index_.reset();
  if (!lock_ || !lock_->keeps_ours_out() || !unreadable_.empty() || reservations_.size() < kWorthAnIndex) return;
  const bool plain = std::all_of(reservations_.begin(), reservations_.end(), [](const Reservation& each) {
    return each.state != Reservation::State::kTorn && each.file == each.address.to_string();
  });
  if (!plain || !lock_->is_current(folder_fd_.get())) return;
  if (auto made = StoreIndex::make(folder_fd_.get(), reservations_, Origin::here(""))) {
    index_ = std::make_unique<StoreIndex>(*std::move(made));
  }
}

std::vector<Reservation> ReservationStore::at(const IpAddr& addr, ErrorList& failures) {
  std::vector<Reservation> found;
  if (index_ && !holders_read_) {
    auto reservation = index_->holds(addr) ? read_holder({addr, addr.to_string()}) : std::optional<Reservation>();
    if (!reservation.ok()) {
      failures.collect(std::move(reservation).error());
    } else if (reservation.value()) {
      found.push_back(*std::move(reservation).value());
    }
    return found;
  }
  const std::vector<Reservation>& all = reservations(failures);
  const auto first = std::lower_bound(all.begin(), all.end(), addr, [](const Reservation& each, const IpAddr& wanted) {
    return each.address < wanted;
  });
  for (auto each = first; each != all.end() && each->address == addr; ++each) {
    if (entries_.contains({addr, each->file})) found.push_back(*each);
  }
  return found;
}

std::vector<IpAddr> ReservationStore::of_earlier_boot(const Origin& now, const In& in, ErrorList& failures) {
  if (index_ && index_->knows_boot(now)) return index_->with(StoreIndex::Oddity::kEarlierBoot, in);
  return select(failures, [&](const Reservation& each) {
    return each.origin && is_of_earlier_boot(*each.origin, now) && in(each.address);
  });
}

std::vector<IpAddr> ReservationStore::torn(const In& in, ErrorList& failures) {
  if (index_) return {};  // there was none when it was made
  return select(failures,
                [&](const Reservation& each) { return each.state == Reservation::State::kTorn && in(each.address); });
}

std::vector<IpAddr> ReservationStore::foreign(const In& in, ErrorList& failures) {
  if (index_) return index_->with(StoreIndex::Oddity::kForeign, in);
  return select(failures, [&](const Reservation& each) {
    return each.state == Reservation::State::kForeign && in(each.address);
  });
}

std::vector<IpAddr> ReservationStore::select(ErrorList& failures,
                                             const std::function<bool(const Reservation&)>& wanted) {
  std::vector<IpAddr> out;
  for (const Reservation& each : reservations(failures)) {
    if (entries_.contains({each.address, each.file}) && wanted(each)) out.push_back(each.address);
  }
  return out;
}

Result<std::optional<Reservation>> ReservationStore::read_holder(const Entry& entry, Detail detail) {
  Reservation out{entry.address, entry.file, Reservation::State::kForeign, {}, {}};
  // Opening alone can have effects: of a device, or of a folder that is mounted on demand.
  if (!entry.may_be_regular) return std::optional(out);
  const std::string path = path_of(entry.file);
  auto file = open_file_at(folder_fd_.get(), entry.file, O_RDONLY | kSafeOpen, 0, path);
  if (!file.ok()) {
    const int failure = file.error().errnum();
    if (failure == ENOENT) return std::optional<Reservation>();           // removed by hand, without the lock
    if (failure == ELOOP || failure == ENXIO) return std::optional(out);  // a symbolic link, a socket
    return std::move(file).error();
  }
  struct stat info {};
  if (fstat(file.value().get(), &info) != 0) return Error::sys("look at " + path, errno);
  if (!S_ISREG(info.st_mode)) return std::optional(out);
  out.written = info.st_mtime;
  const auto content = read_sized(file.value().get(), info.st_size, kMaxContent, path);
  if (!content.ok() && content.error().errnum() != 0) return content.error();  // else larger than any reservation
  if (content.ok()) parse_holder(content.value(), out);
  if (detail == Detail::kAll) out.origin = attribute_.read(file.value().get());
  return std::optional(out);
}

}  // namespace cnio::ipam
