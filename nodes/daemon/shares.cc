#include "nodes/daemon/shares.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace bt::nodes {
namespace {

// Who begins gets going with so much.
constexpr uint64_t kBeginning = 64 << 10;

// Fills `shares` up to `wanted`, the smallest wants first, and returns what is left of `limit`.
uint64_t Fill(uint64_t limit, const std::vector<uint64_t>& wanted, std::vector<uint64_t>& shares) {
  std::vector<size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto lacks = [&](size_t i) { return wanted[i] - std::min(wanted[i], shares[i]); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lacks(a) < lacks(b); });
  for (size_t done = 0; done < order.size(); ++done) {
    const uint64_t given = std::min(lacks(order[done]), limit / (order.size() - done));
    shares[order[done]] += given;
    limit -= given;
  }
  return limit;
}

}  // namespace

std::vector<uint64_t> DivideLimit(uint64_t limit, const std::vector<ShareWish>& wishes) {
  std::vector<uint64_t> shares(wishes.size(), 0);
  std::vector<uint64_t> wanted;
  std::vector<uint64_t> most;
  for (const ShareWish& wish : wishes) {
    most.push_back(wish.own_limit == 0 ? limit : std::min(limit, wish.own_limit));
    wanted.push_back(std::min(most.back(), std::max(kBeginning, 2 * wish.used)));
  }
  const uint64_t left = Fill(limit, wanted, shares);
  Fill(left, most, shares);
  for (uint64_t& share : shares) share = std::max<uint64_t>(share, 1);
  return shares;
}

}  // namespace bt::nodes
