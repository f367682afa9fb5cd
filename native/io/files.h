// Files as the weights code needs them: mapped for reading, replaced atomically for writing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sparring {

// A whole regular file in memory, private and copy-on-write: the file is opened read-only, pages are read when first
// touched, and a write to data() changes this process's copy alone. Throws Error "io" if the file is missing, is not a
// regular file, or cannot be read. A file that another program truncates while it is mapped ends this process with
// SIGBUS; AtomicFile never truncates the file that it replaces.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  char* data() const { return data_; }
  std::size_t size() const { return size_; }

  // Gives the memory of the whole pages among these bytes back to the system. What was written to them is lost; what is
  // read from them is read from the file again. Bytes that are not of this file are left alone.
  void release(const void* bytes, std::size_t count) const;

 private:
  char* data_ = nullptr;  // null for an empty file
  std::size_t size_ = 0;
};

// Writes a new file beside `path` and moves it there on commit(), so that whoever opens `path` sees the old content or
// the new, whole, also after a crash. Without commit() the destructor removes the new file. Every failure (disk full,
// no permission, no such folder) throws Error "io" with the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t count);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string path_, temporary_;
  int file_ = -1;
};

}  // namespace sparring
