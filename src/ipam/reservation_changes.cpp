// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What changes in the store: reservations, and which address was given last.
#include <fcntl.h>
#include <unistd.h>

#include "cnio/base/interrupted.hpp"
#include "cnio/ipam/reservation_store.hpp"

#include "ipam/store_files.hpp"
#include "ipam/store_folder.hpp"
#include "ipam/store_index.hpp"
#include "ipam/store_lock.hpp"

namespace cnio::ipam {
namespace {

std::string cursor_name(size_t set) { return "last_reserved_ip." + std::to_string(set); }

// A change of the folder that the index, if there is one, follows. One who has lost the lock file may not be alone any
// more, and leaves the index unusable.
class Change {
 public:
  Change(StoreIndex* index, const StoreLock* lock, int folder) : index_(index), lock_(lock), folder_(folder) {
    if (index_ != nullptr) index_->begin_change();
  }
  ~Change() {
    if (index_ != nullptr && lock_->is_current(folder_)) index_->end_change(folder_);
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  StoreIndex* index_;
  const StoreLock* lock_;
  int folder_;
};

}  // namespace

Status ReservationStore::reclaim_torn() {
  if (index_ && !holders_read_) return {};  // there was none when it was made
  ErrorList failures;
  for (const Reservation& reservation : reservations(failures)) {
    if (reservation.state != Reservation::State::kTorn) continue;
    failures.collect(release(reservation));
  }
  return failures.status();
}

// The record of the address that the set gave last, or null if there is none that can be used. It is opened once, for
// reading and writing.
ReservationStore::Cursor* ReservationStore::cursor(size_t set) {
  if (const auto known = cursors_.find(set); known != cursors_.end()) return &known->second;
  const std::string name = cursor_name(set);
  if (is_odd_file(folder_fd_.get(), name)) return nullptr;
  auto file = open_file_at(folder_fd_.get(), name, O_RDWR | kSafeOpen, 0, path_of(name));
  if (!file.ok()) return nullptr;
  Cursor out{std::move(file).value(), 0, {}};
  char text[64];  // longer than any address; what does not fit is none
  const ssize_t size = retry_interrupted([&] { return pread(out.file.get(), text, sizeof text, 0); });
  if (size < 0) return nullptr;  // a pipe, if it has just taken the place of the file
  out.length = static_cast<size_t>(size);
  out.address = IpAddr::parse({text, out.length});
  return &cursors_.emplace(set, std::move(out)).first->second;
}

// It says where to look first and nothing else: without it the search starts at the beginning.
std::optional<IpAddr> ReservationStore::last_given(size_t set) {
  const Cursor* known = cursor(set);
  return known == nullptr ? std::nullopt : known->address;
}

Status ReservationStore::reserve(const protocol::Attachment& attachment, const std::vector<Grant>& grants,
                                 const std::optional<Origin>& origin) {
  const Change change(index_.get(), lock_.get(), folder_fd_.get());
  const std::string content = format_holder(attachment);
  size_t made = 0;
  Status status;
  for (; status.ok() && made < grants.size(); ++made) {
    const std::string name = grants[made].address.to_string();
    const Result<bool> created = create_file(name, content, origin);
    if (!created.ok()) {
      status = created.error();
    } else if (!created.value()) {
      status =
          Error::make(Code::kTryAgain, "reserve " + name + ": " + path_of(name) + " appeared in spite of the lock");
    }
    if (!status.ok()) break;
  }
  for (size_t i = 0; status.ok() && i < grants.size(); ++i) status = record_given(grants[i]);
  for (size_t i = 0; index_ && i < made; ++i) index_->add(grants[i].address, attachment.container_id);
  if (status.ok()) return {};

  Error error = std::move(status).error();
  while (made-- > 0) {
    const Status removed = remove(grants[made].address.to_string());
    if (!removed.ok()) error = std::move(error).hint("could not be undone: " + removed.error().msg());
    if (removed.ok() && index_) index_->remove(grants[made].address);
  }
  return error;
}

Status ReservationStore::release(const Reservation& reservation) {
  const Change change(index_.get(), lock_.get(), folder_fd_.get());
  CNIO_TRY(remove(reservation.file));
  entries_.erase({reservation.address, reservation.file});
  if (index_) index_->remove(reservation.address);
  return {};
}

Status ReservationStore::renew(const Reservation& reservation, const Origin& origin) {
  const std::string path = path_of(reservation.file);
  CNIO_LET(const UniqueFd file, open_file_at(folder_fd_.get(), reservation.file, O_RDONLY | kSafeOpen, 0, path));
  CNIO_TRY(attribute_.write(file.get(), origin).context(path));
  if (index_) index_->forget_oddities(reservation.address);
  return {};
}

Status ReservationStore::remove(const std::string& name) const {
  return remove_file(folder_fd_.get(), name, path_of(name));
}

// The origin is a help for later: an ADD does not fail for it.
Result<bool> ReservationStore::create_file(const std::string& name, std::string_view content,
                                           const std::optional<Origin>& origin) {
  return create_whole_file(folder_fd_.get(), name, path_of(name), content, [&](int fd) {
    if (origin) (void)attribute_.write(fd, *origin);
  });
}

Status ReservationStore::record_given(const Grant& grant) {
  const std::string name = cursor_name(grant.set);
  const std::string text = grant.address.to_string();
  if (const Cursor* known = cursor(grant.set)) {
    return overwrite_file(known->file.get(), known->length, path_of(name), text);
  }
  CNIO_TRY(create_file(name, text));  // unless the name is that of something else, which is left alone
  return {};
}

}  // namespace cnio::ipam
