#include "sim/explore/queues.h"

#include <utility>

#include "core/base/check.h"
#include "core/base/halves.h"

namespace bt::sim::explore {

uint32_t Queues::NumberOf(std::vector<uint32_t> content) {
  const auto [known, fresh] = numbers_.try_emplace(content, static_cast<uint32_t>(contents_.size()));
  if (fresh) contents_.push_back(std::move(content));
  return known->second;
}

uint32_t Queues::Push(uint32_t queue, uint32_t message) {
  const auto [known, fresh] = pushed_.try_emplace(Join(queue, message), 0);
  if (!fresh) return known->second;
  std::vector<uint32_t> content = contents_[queue];
  CHECK_MSG(content.size() < kLengthMax, "a link of the scope grows without end");
  content.push_back(message);
  return known->second = NumberOf(std::move(content));
}

uint32_t Queues::Without(uint32_t queue, size_t place) {
  const auto [known, fresh] = without_.try_emplace(Join(queue, static_cast<uint32_t>(place)), 0);
  if (!fresh) return known->second;
  std::vector<uint32_t> content = contents_[queue];
  CHECK(place < content.size());
  content.erase(content.begin() + static_cast<std::ptrdiff_t>(place));
  return known->second = NumberOf(std::move(content));
}

}  // namespace bt::sim::explore
