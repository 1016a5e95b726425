#include "core/torrent/bencode.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <limits>

#include "core/base/check.h"

namespace bt::bencode {

// Reads a document with an explicit stack of the open lists and dictionaries.
class Parser {
 public:
  explicit Parser(std::string_view bytes) { document_.bytes_ = bytes; }

  absl::StatusOr<Document> Parse() {
    if (bytes().size() >= std::numeric_limits<uint32_t>::max()) return Error("too long");
    do {
      if (position_ >= bytes().size()) return Error("ends in the middle of a value");
      if (const absl::Status status = ReadOne(); !status.ok()) return status;
    } while (!open_.empty());
    if (position_ != bytes().size()) return Error("bytes left over after the value");
    return std::move(document_);
  }

 private:
  // A list or dictionary whose end has not been read yet.
  struct Open {
    uint32_t index = 0;
    uint32_t last_child = 0;  // 0: none yet
    bool expects_value = false;
    std::string_view last_key{};
    bool has_key = false;
  };

  std::string_view bytes() const { return document_.bytes_; }
  std::vector<Document::Node>& nodes() { return document_.nodes_; }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("not bencode: ", what, " at byte ", position_));
  }

  // One scalar, or the beginning or the end of a list or dictionary.
  absl::Status ReadOne() {
    const char c = bytes()[position_];
    if (c == 'e') return ReadEnd();
    const bool digit = c >= '0' && c <= '9';
    if (!digit && c != 'i' && c != 'l' && c != 'd') return Error("unexpected byte");
    const bool is_key = !open_.empty() && ExpectsKey(open_.back());
    if (is_key && !digit) return Error("dictionary key is not a string");
    if (nodes().size() >= kValueLimit) return Error("too many values");
    const uint32_t index = Append();
    if (digit) {
      if (absl::Status status = ReadText(index); !status.ok()) return status;
      return is_key ? CheckKey(index) : absl::OkStatus();
    }
    if (c == 'i') return ReadInteger(index);
    if (open_.size() >= kDepthLimit) return Error("nested too deeply");
    nodes()[index].kind = c == 'l' ? Kind::kList : Kind::kDictionary;
    ++position_;
    open_.push_back({.index = index});
    return absl::OkStatus();
  }

  bool ExpectsKey(const Open& open) {
    return nodes()[open.index].kind == Kind::kDictionary && !open.expects_value;
  }

  // A new node, linked behind its elder sibling.
  uint32_t Append() {
    const uint32_t index = static_cast<uint32_t>(nodes().size());
    nodes().push_back({.begin = static_cast<uint32_t>(position_)});
    if (!open_.empty()) {
      Open& parent = open_.back();
      if (parent.last_child != 0) nodes()[parent.last_child].next = index;
      parent.last_child = index;
      if (nodes()[parent.index].kind == Kind::kDictionary) parent.expects_value = !parent.expects_value;
    }
    return index;
  }

  absl::Status ReadEnd() {
    if (open_.empty()) return Error("unexpected end marker");
    if (open_.back().expects_value) return Error("dictionary key without a value");
    ++position_;
    nodes()[open_.back().index].end = static_cast<uint32_t>(position_);
    open_.pop_back();
    return absl::OkStatus();
  }

  absl::Status CheckKey(uint32_t index) {
    Open& parent = open_.back();
    const Document::Node& node = nodes()[index];
    const std::string_view key = bytes().substr(node.text_begin, node.end - node.text_begin);
    if (parent.has_key && !(parent.last_key < key)) {
      return Error(parent.last_key == key ? "dictionary key given twice" : "dictionary keys out of order");
    }
    parent.has_key = true;
    parent.last_key = key;
    return absl::OkStatus();
  }

  absl::Status ReadText(uint32_t index) {
    uint64_t length = 0;
    if (absl::Status status = ReadDigits(':', std::numeric_limits<uint32_t>::max(), length); !status.ok()) {
      return status;
    }
    if (length > bytes().size() - position_) return Error("string longer than the rest");
    Document::Node& node = nodes()[index];
    node.kind = Kind::kText;
    node.text_begin = static_cast<uint32_t>(position_);
    position_ += length;
    node.end = static_cast<uint32_t>(position_);
    return absl::OkStatus();
  }

  absl::Status ReadInteger(uint32_t index) {
    ++position_;
    const bool negative = position_ < bytes().size() && bytes()[position_] == '-';
    if (negative) ++position_;
    constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
    uint64_t magnitude = 0;
    if (absl::Status status = ReadDigits('e', negative ? kMax + 1 : kMax, magnitude); !status.ok()) {
      return status;
    }
    if (negative && magnitude == 0) return Error("minus zero");
    Document::Node& node = nodes()[index];
    node.kind = Kind::kInteger;
    node.integer = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
    node.end = static_cast<uint32_t>(position_);
    return absl::OkStatus();
  }

  // Digits without leading zeros up to and including `terminator`.
  absl::Status ReadDigits(char terminator, uint64_t limit, uint64_t& value) {
    const size_t start = position_;
    value = 0;
    for (; position_ < bytes().size(); ++position_) {
      const char c = bytes()[position_];
      if (c == terminator && position_ > start) {
        ++position_;
        return absl::OkStatus();
      }
      if (c < '0' || c > '9') return Error("malformed number");
      if (position_ > start && bytes()[start] == '0') return Error("number with a leading zero");
      const uint64_t digit = static_cast<uint64_t>(c - '0');
      if (value > (limit - digit) / 10) return Error("number too large");
      value = value * 10 + digit;
    }
    return Error("ends in the middle of a number");
  }

  Document document_;
  size_t position_ = 0;
  std::vector<Open> open_;  // at most kDepthLimit
};

absl::StatusOr<Document> Document::Parse(std::string_view bytes) { return Parser(bytes).Parse(); }

Kind Value::kind() const { return document_->nodes_[index_].kind; }

std::string_view Value::raw() const {
  const Document::Node& node = document_->nodes_[index_];
  return document_->bytes_.substr(node.begin, node.end - node.begin);
}

std::optional<int64_t> Value::integer() const {
  if (kind() != Kind::kInteger) return std::nullopt;
  return document_->nodes_[index_].integer;
}

std::optional<std::string_view> Value::text() const {
  const Document::Node& node = document_->nodes_[index_];
  if (node.kind != Kind::kText) return std::nullopt;
  return document_->bytes_.substr(node.text_begin, node.end - node.text_begin);
}

std::optional<Value> Value::Find(std::string_view key) const {
  if (!is_dictionary()) return std::nullopt;
  for (auto name = first(); name;) {
    const auto value = name->next();
    if (name->text() == key) return value;
    name = value->next();
  }
  return std::nullopt;
}

std::optional<Value> Value::first() const {
  if (kind() != Kind::kList && kind() != Kind::kDictionary) return std::nullopt;
  const std::string_view body = raw();
  if (body.size() == 2) return std::nullopt;  // "le" or "de"
  return Value(document_, index_ + 1);
}

std::optional<Value> Value::next() const {
  const uint32_t next = document_->nodes_[index_].next;
  if (next == 0) return std::nullopt;
  return Value(document_, next);
}

Writer& Writer::Integer(int64_t value) {
  absl::StrAppend(&out_, "i", value, "e");
  return *this;
}

Writer& Writer::Text(std::string_view bytes) {
  absl::StrAppend(&out_, bytes.size(), ":");
  out_.append(bytes);
  return *this;
}

Writer& Writer::BeginList() {
  out_.push_back('l');
  last_keys_.emplace_back();
  return *this;
}

Writer& Writer::BeginDictionary() {
  out_.push_back('d');
  last_keys_.emplace_back();
  return *this;
}

Writer& Writer::Key(std::string_view key) {
  CHECK(!last_keys_.empty());
  CHECK_MSG(!last_keys_.back() || *last_keys_.back() < key, "bencode keys out of order");
  last_keys_.back().emplace(key);
  return Text(key);
}

Writer& Writer::End() {
  CHECK(!last_keys_.empty());
  last_keys_.pop_back();
  out_.push_back('e');
  return *this;
}

Writer& Writer::Raw(std::string_view bencoded) {
  out_.append(bencoded);
  return *this;
}

}  // namespace bt::bencode
