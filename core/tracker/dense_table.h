#pragma once

// DenseTable: rows in one array without gaps, found by their keys: a listing can start anywhere, and the
// table travels as its rows. A row that leaves is replaced by the last one, so the order of the rows is a
// function of the history of additions and removals alone: equal on every replica. For the registry and the
// sessions.
//
// A table can be frozen: from then on it also shows the rows as they were at that moment, while it goes on
// changing. Of each row that changes or leaves, the old one is copied once (copy on update), so that freezing
// costs nothing at first and at most as much memory as the table again. The old rows are let go of from the
// front, as whoever walks over them comes by.

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>
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
  // To change the row, but not its key.
  Row* Change(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    Keep(found->second);
    return &rows_[found->second];
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
    Keep(hole);
    if (hole + 1 != size()) {
      Keep(size() - 1);
      rows_[hole] = std::move(rows_.back());
      index_[rows_[hole].key()] = hole;
    }
    rows_.pop_back();
  }

  uint32_t size() const { return static_cast<uint32_t>(rows_.size()); }
  const Row& at(uint32_t place) const { return rows_[place]; }
  const std::vector<Row>& rows() const { return rows_; }

  // The rows as they are now can be read by frozen_size() and frozen_at() until they are let go of.
  void Freeze() {
    frozen_from_ = 0;
    frozen_size_ = size();
    kept_.clear();
  }
  // Of the frozen rows those below `place` are not needed any more.
  void LetGo(uint32_t place) {
    frozen_from_ = std::min(place, frozen_size_);
    kept_.erase(kept_.begin(), kept_.lower_bound(frozen_from_));
  }
  void LetGo() { LetGo(frozen_size_); }
  uint32_t frozen_size() const { return frozen_size_; }
  const Row& frozen_at(uint32_t place) const {
    CHECK(place >= frozen_from_ && place < frozen_size_);
    const auto kept = kept_.find(place);
    return kept == kept_.end() ? rows_[place] : kept->second;
  }
  // Frozen rows that were copied.
  size_t kept() const { return kept_.size(); }

 private:
  void Keep(uint32_t place) {
    if (place >= frozen_from_ && place < frozen_size_) kept_.try_emplace(place, rows_[place]);
  }

  std::vector<Row> rows_;
  absl::flat_hash_map<Key, uint32_t> index_;  // look-up only; one for each of rows_
  // The frozen rows: those in kept_, and of the places from frozen_from_ on that are not in it the rows
  // themselves.
  uint32_t frozen_from_ = 0;
  uint32_t frozen_size_ = 0;
  absl::btree_map<uint32_t, Row> kept_;  // at most one for each of rows_
};

}  // namespace bt::tracker
