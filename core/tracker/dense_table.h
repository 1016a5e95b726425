#pragma once

// DenseTable: rows in one array without gaps, found by their keys: a listing can start anywhere, and the
// table travels as its rows. A row that leaves is replaced by the last one, so the order of the rows is a
// function of the history of additions and removals alone: equal on every replica. For the registry and the
// sessions.

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace bt::tracker {

template <class Row>  // with a member function key()
class DenseTable {
 public:
  using Key = std::decay_t<decltype(std::declval<const Row&>().key())>;

  const Row* Find(const Key& key) const {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &rows_[found->second];
  }
  Row* Find(const Key& key) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &rows_[found->second];
  }
  // Its key must not be there. Valid until the next addition or removal.
  Row& Add(Row row) {
    CHECK(index_.emplace(row.key(), size()).second);
    return rows_.emplace_back(std::move(row));
  }
  void Remove(const Key& key) {
    const auto found = index_.find(key);
    CHECK(found != index_.end());
    const uint32_t hole = found->second;
    index_.erase(found);
    if (hole + 1 != size()) {
      rows_[hole] = std::move(rows_.back());
      index_[rows_[hole].key()] = hole;
    }
    rows_.pop_back();
  }

  uint32_t size() const { return static_cast<uint32_t>(rows_.size()); }
  const Row& at(uint32_t place) const { return rows_[place]; }
  const std::vector<Row>& rows() const { return rows_; }

  // As it travels (core/base/fields.h).
  using Plain = std::vector<Row>;
  const Plain& ToPlain() const { return rows_; }
  static std::optional<DenseTable> FromPlain(Plain rows) {
    DenseTable table;
    table.index_.reserve(rows.size());
    for (const Row& row : rows) {
      if (!table.index_.emplace(row.key(), static_cast<uint32_t>(table.index_.size())).second) {
        return std::nullopt;
      }
    }
    table.rows_ = std::move(rows);
    return table;
  }

 private:
  std::vector<Row> rows_;
  absl::flat_hash_map<Key, uint32_t> index_;  // look-up only
};

}  // namespace bt::tracker
