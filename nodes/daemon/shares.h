#pragma once

// DivideLimit: one limit of bytes a second among those who share it (max-min fairness: nobody has more while
// somebody who wants more has less; Bertsekas and Gallager, Data Networks, 6.5.2). Pure.

#include <cstdint>
#include <vector>

namespace bt::nodes {

struct ShareWish {
  uint64_t used = 0;       // bytes a second, lately
  uint64_t own_limit = 0;  // 0: none
};

// The share of each, in order, never 0; together at most `limit`, but for those who would have less than one.
// Each is given room to double what it uses, before the rest goes to all alike.
std::vector<uint64_t> DivideLimit(uint64_t limit, const std::vector<ShareWish>& wishes);

}  // namespace bt::nodes
