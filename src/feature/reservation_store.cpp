// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/feature/reservation_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/file_lock.hpp"
#include "cnio/base/interrupted.hpp"

#include "store_folder.hpp"
#include "store_index.hpp"

namespace cnio::feature {
namespace {

constexpr unsigned kLockMode = 0750;
constexpr unsigned kFileMode = 0600;
// More than a container id in an environment variable can have; a larger file is nobody's reservation.
constexpr size_t kMaxContent = size_t{256} * 1024;
// To read fewer files costs no more than to keep an index.
constexpr size_t kWorthAnIndex = 32;
// O_NONBLOCK: opening a pipe or a device that someone put there must not stop us.
constexpr int kSafeOpen = O_NOFOLLOW | O_NONBLOCK;

Result<bool> is_regular(int fd, const std::string& shown) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return Error::sys("look at " + shown, errno);
  return S_ISREG(info.st_mode);
}

std::string cursor_name(size_t set) { return "last_reserved_ip." + std::to_string(set); }

// Opening alone can have effects: of a device, or of a folder that is mounted on demand. What is not there is not odd.
bool is_odd(int folder, const std::string& name) {
  struct stat info {};
  return fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode);
}

// A change of the folder that the index, if there is one, follows.
class Change {
 public:
  Change(StoreIndex* index, int folder) : index_(index), folder_(folder) {
    if (index_ != nullptr) index_->begin_change();
  }
  ~Change() {
    if (index_ != nullptr) index_->end_change(folder_);
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  StoreIndex* index_;
  int folder_;
};

// Where a file system does not tell, it shows when the file is opened.
bool may_be_regular(const dirent& entry) { return entry.d_type == DT_REG || entry.d_type == DT_UNKNOWN; }

// Gives the unnamed file `fd` its name; false if the system cannot do that here. Errno tells why.
bool link_unnamed(int fd, int folder, const std::string& name) {
  if (linkat(fd, "", folder, name.c_str(), AT_EMPTY_PATH) == 0) return true;
  if (errno != ENOENT && errno != EPERM) return false;
  // Linking by descriptor needs CAP_DAC_READ_SEARCH; by /proc it does not.
  const std::string by_proc = "/proc/self/fd/" + std::to_string(fd);
  return linkat(AT_FDCWD, by_proc.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

}  // namespace

ReservationStore::ReservationStore(std::string folder, UniqueFd folder_fd, UniqueFd lock_fd)
    : folder_(std::move(folder)), folder_fd_(std::move(folder_fd)), lock_fd_(std::move(lock_fd)) {}
ReservationStore::ReservationStore(ReservationStore&&) noexcept = default;
ReservationStore& ReservationStore::operator=(ReservationStore&&) noexcept = default;
ReservationStore::~ReservationStore() = default;

Result<ReservationStore> ReservationStore::create(const std::string& folder, std::chrono::milliseconds limit) {
  CNIO_TRY(create_folder(folder));
  CNIO_LET(UniqueFd fd, open_folder(folder));
  return lock(folder, std::move(fd), limit);
}

Result<std::optional<ReservationStore>> ReservationStore::open(const std::string& folder,
                                                               std::chrono::milliseconds limit) {
  auto fd = open_folder(folder);
  if (!fd.ok() && fd.error().errnum() == ENOENT) return std::optional<ReservationStore>();
  if (!fd.ok()) return std::move(fd).error();
  CNIO_LET(ReservationStore store, lock(folder, std::move(fd).value(), limit));
  return std::optional(std::move(store));
}

Result<std::optional<ReservationStore>> ReservationStore::peek(const std::string& folder) {
  auto fd = open_folder(folder);
  if (!fd.ok() && fd.error().errnum() == ENOENT) return std::optional<ReservationStore>();
  if (!fd.ok()) return std::move(fd).error();
  ReservationStore store(folder, std::move(fd).value(), UniqueFd());
  CNIO_TRY(store.list());
  return std::optional(std::move(store));
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
  const std::string path = folder + "/lock";
  CNIO_LET(UniqueFd lock_fd, open_file_at(folder_fd.get(), "lock", O_RDONLY | O_CREAT | kSafeOpen, kLockMode, path));
  CNIO_LET(const bool regular, is_regular(lock_fd.get(), path));
  if (!regular) return Error::make(Code::kIo, "lock " + path + ": not a regular file");
  CNIO_TRY(lock_file(lock_fd.get(), path, limit));
  ReservationStore store(folder, std::move(folder_fd), std::move(lock_fd));
  if (auto index = StoreIndex::open(store.folder_fd_.get())) {
    store.index_ = std::make_unique<StoreIndex>(*std::move(index));
  } else {
    CNIO_TRY(store.list());
  }
  return store;
}

Status ReservationStore::list() {
  listed_ = true;
  CNIO_LET(UniqueFd fd, open_file_at(folder_fd_.get(), ".", O_RDONLY | O_DIRECTORY, 0, folder_));
  const int duplicate = fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);  // closed by closedir
  if (duplicate < 0) return Error::sys("list " + folder_, errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(duplicate), &closedir);
  if (!stream) {
    const int failure = errno;
    (void)close(duplicate);
    return Error::sys("list " + folder_, failure);
  }
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr && errno != 0) return Error::sys("list " + folder_, errno);
    if (entry == nullptr) break;
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (const auto addr = IpAddr::parse(name)) entries_.insert({*addr, std::string(name), may_be_regular(*entry)});
  }
  return {};
}

bool ReservationStore::taken(const IpAddr& addr) const {
  if (index_) return index_->holds(addr);
  const auto found = entries_.lower_bound({addr, ""});
  return found != entries_.end() && found->address == addr;
}

size_t ReservationStore::count_taken(const std::function<bool(const IpAddr&)>& in) const {
  size_t count = 0;
  const IpAddr* previous = nullptr;  // one address may be there in two spellings
  for (const Entry& entry : entries_) {
    if ((previous == nullptr || *previous != entry.address) && in(entry.address)) ++count;
    previous = &entry.address;
  }
  return count;
}

std::vector<Reservation> ReservationStore::find_by_attachment(const protocol::Attachment& attachment,
                                                              ErrorList& failures) {
  if (auto known = find_by_index(attachment)) return *std::move(known);
  std::vector<Reservation> found;
  for (const Reservation& reservation : reservations(failures)) {
    if (reservation.held_by(attachment)) found.push_back(reservation);
  }
  return found;
}

// Nothing if there is no index, or if it is wrong about the container.
std::optional<std::vector<Reservation>> ReservationStore::find_by_index(const protocol::Attachment& attachment) const {
  if (!index_) return std::nullopt;
  std::vector<Reservation> found;
  for (const IpAddr& addr : index_->of_container(attachment.container_id)) {
    const Entry entry{addr, addr.to_string()};
    const auto reservation = read_holder(entry);
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
  if (!lock_fd_.valid() || !unreadable_.empty() || reservations_.size() < kWorthAnIndex) return;
  const bool plain = std::all_of(reservations_.begin(), reservations_.end(), [](const Reservation& each) {
    return each.state != Reservation::State::kTorn && each.file == each.address.to_string();
  });
  if (!plain) return;
  if (auto made = StoreIndex::make(folder_fd_.get(), reservations_)) {
    index_ = std::make_unique<StoreIndex>(*std::move(made));
  }
}

Result<std::optional<Reservation>> ReservationStore::read_holder(const Entry& entry) const {
  Reservation out{entry.address, entry.file, Reservation::State::kForeign, {}};
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
  CNIO_LET(const bool regular, is_regular(file.value().get(), path));
  if (!regular) return std::optional(out);
  const auto content = read_all(file.value().get(), kMaxContent, path);
  if (content.ok()) {
    parse_holder(content.value(), out);
  } else if (content.error().errnum() != 0) {
    return content.error();
  }  // else larger than any reservation
  return std::optional(out);
}

Status ReservationStore::reclaim_torn() {
  if (index_ && !holders_read_) return {};  // there was none when it was made
  ErrorList failures;
  for (const Reservation& reservation : reservations(failures)) {
    if (reservation.state != Reservation::State::kTorn) continue;
    failures.collect(release(reservation));
  }
  return failures.status();
}

// It says where to look first and nothing else: without it the search starts at the beginning.
std::optional<IpAddr> ReservationStore::last_given(size_t set) const {
  const std::string name = cursor_name(set);
  if (is_odd(folder_fd_.get(), name)) return std::nullopt;
  const auto file = open_file_at(folder_fd_.get(), name, O_RDONLY | kSafeOpen, 0, path_of(name));
  if (!file.ok()) return std::nullopt;
  char text[64];  // longer than any address; what does not fit is none
  const ssize_t size = retry_interrupted([&] { return read(file.value().get(), text, sizeof text); });
  if (size < 0) return std::nullopt;
  return IpAddr::parse({text, static_cast<size_t>(size)});
}

Status ReservationStore::reserve(const protocol::Attachment& attachment, const std::vector<Grant>& grants,
                                 const std::optional<Origin>& origin) {
  const Change change(index_.get(), folder_fd_.get());
  const std::string content = format_holder(attachment);
  size_t made = 0;
  Status status;
  for (; status.ok() && made < grants.size(); ++made) {
    const std::string name = grants[made].address.to_string();
    const Result<bool> created = create_whole(name, content, origin);
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
  const Change change(index_.get(), folder_fd_.get());
  CNIO_TRY(remove(reservation.file));
  entries_.erase({reservation.address, reservation.file});
  if (index_) index_->remove(reservation.address);
  return {};
}

std::optional<Origin> ReservationStore::origin_of(const Reservation& reservation) const {
  if (is_odd(folder_fd_.get(), reservation.file)) return std::nullopt;
  const std::string path = path_of(reservation.file);
  const auto file = open_file_at(folder_fd_.get(), reservation.file, O_RDONLY | kSafeOpen, 0, path);
  if (!file.ok()) return std::nullopt;
  const auto regular = is_regular(file.value().get(), path);
  if (!regular.ok() || !regular.value()) return std::nullopt;
  return read_origin(file.value().get());
}

Status ReservationStore::renew(const Reservation& reservation, const Origin& origin) const {
  const std::string path = path_of(reservation.file);
  CNIO_LET(const UniqueFd file, open_file_at(folder_fd_.get(), reservation.file, O_RDONLY | kSafeOpen, 0, path));
  return write_origin(file.get(), origin).context(path);
}

Status ReservationStore::remove(const std::string& name) const {
  if (unlinkat(folder_fd_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return Error::sys("remove " + path_of(name), errno);
}

// The file is written before it gets its name, so no crash and no full disk leaves a part of it under that name. It is
// not synced: an address whose file a power failure takes with it has lost its container too, and a flush under the
// lock would make every pod of the node wait for the disk. The origin is a help for later: an ADD does not fail for it.
Result<bool> ReservationStore::create_whole(const std::string& name, std::string_view content,
                                            const std::optional<Origin>& origin) const {
  const std::string path = path_of(name);
  auto unnamed = open_file_at(folder_fd_.get(), ".", O_TMPFILE | O_WRONLY, kFileMode, path);
  if (!unnamed.ok()) {
    if (lacks_unnamed_files(unnamed.error().errnum())) return create_plain(name, content, origin);
    return std::move(unnamed).error();
  }
  CNIO_TRY(write_all(unnamed.value().get(), content, path));
  if (origin) (void)write_origin(unnamed.value().get(), *origin);
  if (link_unnamed(unnamed.value().get(), folder_fd_.get(), name)) return true;
  if (errno == EEXIST) return false;
  return create_plain(name, content, origin);
}

// For file systems without unnamed files. Synced, because such a one (NFS) may report a full disk only then.
Result<bool> ReservationStore::create_plain(const std::string& name, std::string_view content,
                                            const std::optional<Origin>& origin) const {
  const std::string path = path_of(name);
  auto file = open_file_at(folder_fd_.get(), name, O_WRONLY | O_CREAT | O_EXCL, kFileMode, path);
  if (!file.ok() && file.error().errnum() == EEXIST) return false;
  if (!file.ok()) return std::move(file).error();
  Status written = write_all(file.value().get(), content, path);
  if (written.ok() && origin) (void)write_origin(file.value().get(), *origin);
  if (written.ok() && fdatasync(file.value().get()) != 0) written = Error::sys("write " + path, errno);
  if (written.ok()) return true;
  Error error = std::move(written).error();
  const Status removed = remove(name);
  if (!removed.ok()) error = std::move(error).hint("could not be undone: " + removed.error().msg());
  return error;
}

// An existing record is overwritten, then cut: it needs no new block, and a failure does not lose the old one. Between
// the two a crash may leave another address, or none, which only changes where the next search starts.
Status ReservationStore::record_given(const Grant& grant) const {
  const std::string name = cursor_name(grant.set);
  if (is_odd(folder_fd_.get(), name)) return {};
  const std::string path = path_of(name);
  const std::string text = grant.address.to_string();
  auto file = open_file_at(folder_fd_.get(), name, O_WRONLY | kSafeOpen, 0, path);
  if (!file.ok() && file.error().errnum() == ENOENT) {
    CNIO_TRY(create_whole(name, text));
    return {};
  }
  if (!file.ok()) return std::move(file).error();
  CNIO_LET(const bool regular, is_regular(file.value().get(), path));
  if (!regular) return Error::make(Code::kIo, "write " + path + ": not a regular file");
  CNIO_TRY(write_all(file.value().get(), text, path));
  const auto length = static_cast<off_t>(text.size());
  const int cut = retry_interrupted([&] { return ftruncate(file.value().get(), length); });
  return cut == 0 ? Status() : Error::sys("write " + path, errno);
}

}  // namespace cnio::feature
