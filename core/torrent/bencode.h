#pragma once

// Bencode (BEP 3): a strict reader and a writer. The reader accepts only the canonical form (sorted unique
// keys, minimal integers and lengths, nothing after the value), within stated limits of depth and number of
// values, and never recurses. Values keep the range of bytes they were read from, so that info
// dictionaries are hashed as received. Used by torrents, tracker answers and extension handshakes.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bt::bencode {

inline constexpr uint32_t kDepthLimit = 32;       // nested lists and dictionaries
inline constexpr uint32_t kValueLimit = 500'000;  // values in one document, keys included

enum class Kind : uint8_t { kInteger, kText, kList, kDictionary };

class Document;

// One value of a Document, which must outlive it (and the bytes that were parsed, too).
class Value {
 public:
  Kind kind() const;
  bool is_dictionary() const { return kind() == Kind::kDictionary; }
  // The bytes this value was read from, delimiters included.
  std::string_view raw() const;

  // nullopt when the value is of another kind.
  std::optional<int64_t> integer() const;
  std::optional<std::string_view> text() const;

  // The value under `key`; nullopt when there is none or this is no dictionary.
  std::optional<Value> Find(std::string_view key) const;

  // A list's elements in order, or a dictionary's keys and values in turn: first child, then each next.
  std::optional<Value> first() const;
  std::optional<Value> next() const;

 private:
  friend class Document;
  Value(const Document* document, uint32_t index) : document_(document), index_(index) {}

  const Document* document_;
  uint32_t index_;
};

class Document {
 public:
  // kInvalidArgument says what is wrong and at which byte. `bytes` must outlive the document.
  static absl::StatusOr<Document> Parse(std::string_view bytes);
  Document(Document&&) = default;
  Document& operator=(Document&&) = default;

  Value root() const { return Value(this, 0); }

 private:
  friend class Value;
  friend class Parser;
  // Values in the order they begin; a value's children follow it. 0 as `next` means none: 0 is the root.
  struct Node {
    Kind kind = Kind::kInteger;
    uint32_t next = 0;
    uint32_t begin = 0;
    uint32_t end = 0;
    uint32_t text_begin = 0;
    int64_t integer = 0;
  };

  Document() = default;

  std::string_view bytes_;
  std::vector<Node> nodes_;  // at most kValueLimit
};

// Writes canonical bencode; keys out of order are a bug of the caller and CHECKed.
class Writer {
 public:
  // Appends to `out`.
  explicit Writer(std::string& out) : out_(out) {}

  Writer& Integer(int64_t value);
  Writer& Text(std::string_view bytes);
  Writer& BeginList();
  Writer& BeginDictionary();
  Writer& Key(std::string_view key);
  Writer& End();  // of the innermost list or dictionary
  // A value that is already bencoded.
  Writer& Raw(std::string_view bencoded);

 private:
  std::string& out_;
  std::vector<std::optional<std::string>> last_keys_;  // one per open list or dictionary; at most kDepthLimit
};

}  // namespace bt::bencode
