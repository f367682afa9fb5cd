#include "io/files.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

namespace sparring {
namespace {

std::string hint_for(int error) {
  switch (error) {
    case ENOENT: return "Check the path; it is relative to the working directory unless it starts with '/'.";
    case EACCES:
    case EPERM:
    case EROFS: return "Check the permissions of the file and of its folder.";
    case ENOSPC:
    case EDQUOT: return "Free some disk space, or write to another disk, and try again.";
    default: return {};
  }
}

[[noreturn]] void fail_io(const char* action, const std::string& path) {
  const int error = errno;
  throw Error("io", std::string("Cannot ") + action + " " + path + ": " + std::strerror(error) + ".", hint_for(error));
}

struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // Non-blocking, so that a named pipe is refused below instead of being waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail_io("open", path);
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) fail_io("read", path);
  if (!S_ISREG(status.st_mode)) {
    throw Error("io", std::string("Cannot read ") + path + ": expected a file, found " +
                          (S_ISDIR(status.st_mode) ? "a folder." : "something that is not a regular file."));
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* const address = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.fd, 0);
  if (address == MAP_FAILED) fail_io("map", path);
  data_ = static_cast<char*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void MappedFile::release(const void* bytes, std::size_t count) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes), first = reinterpret_cast<uintptr_t>(data_);
  if (data_ == nullptr || begin < first || count > size_ || begin - first > size_ - count) return;
  const auto from = (begin + page - 1) / page * page, to = (begin + count) / page * page;
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  static std::atomic<unsigned> count{0};
  temporary_ = path_ + "." + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmp";
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) fail("create");
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, std::size_t count) {
  for (auto* next = static_cast<const char*>(bytes); count > 0;) {
    const ssize_t written = ::write(file_, next, count);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write");
    }
    next += written;
    count -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(file_) != 0) fail("write");
  const int file = file_;
  file_ = -1;
  if (::close(file) != 0) fail("write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("write");
  temporary_.clear();
  // The new name must reach the disk too. Some file systems cannot sync a folder; the content is safe either way.
  const auto parent = std::filesystem::path(path_).parent_path();
  const Descriptor folder{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd >= 0) ::fsync(folder.fd);
}

void AtomicFile::fail(const char* action) const { fail_io(action, path_); }

}  // namespace sparring
