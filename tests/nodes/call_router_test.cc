#include "nodes/tracker/call_router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "nodes/tracker/http_edge.h"

namespace bt::nodes {
namespace {

// What the node was told, and an edge that remembers what came back.
struct Node {
  std::vector<Input<tracker::Protocol>> told;
  CallRouter::Deliver deliver() {
    return [this](Input<tracker::Protocol> input) { told.push_back(std::move(input)); };
  }
  template <class T>
  size_t Count() const {
    return static_cast<size_t>(std::count_if(
        told.begin(), told.end(), [](const auto& input) { return std::holds_alternative<T>(input); }));
  }
};

struct Edge final : CallOrigin {
  std::vector<std::pair<uint64_t, std::string>> replies;
  void OnReply(uint64_t number, tracker_api::Response response) override {
    replies.emplace_back(number, response.reason);
  }
};

tracker_api::Response Saying(const std::string& reason) {
  tracker_api::Response response;
  response.reason = reason;
  return response;
}

TEST(CallRouter, SendsEachReplyOnceToTheEdgeThatAskedThoughNumbersOfEdgesAreEqual) {
  Node node;
  Edge http;
  Edge other;
  CallRouter router(node.deliver());
  const auto first = router.Open(http, 7);
  const auto second = router.Open(other, 7);
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  router.Ask(*first, tracker::Asked{tracker_api::Status{}});
  router.Ask(*second, tracker::Asked{tracker_api::Status{}});
  router.OnReply(*second, Saying("for the other"));
  router.OnReply(*first, Saying("for http"));
  router.OnReply(*first, Saying("once more"));
  EXPECT_EQ(http.replies, (std::vector<std::pair<uint64_t, std::string>>{{7, "for http"}}));
  EXPECT_EQ(other.replies, (std::vector<std::pair<uint64_t, std::string>>{{7, "for the other"}}));
  EXPECT_EQ(router.under_way(), 0u);
  EXPECT_NE(router.Open(http, 7), first) << "an id is never handed out twice";
}

TEST(CallRouter, TellsTheNodeOfACancelledCallAndDropsItsLateReply) {
  Node node;
  Edge edge;
  CallRouter router(node.deliver());
  const auto call = router.Open(edge, 1);
  router.Ask(*call, tracker::Asked{tracker_api::Status{}});
  router.Cancel(*call);
  router.Cancel(*call);
  ASSERT_EQ(node.Count<CallCancelled>(), 1u);
  EXPECT_EQ(std::get<CallCancelled>(node.told.back()).id, *call);
  router.OnReply(*call, Saying("late"));
  EXPECT_TRUE(edge.replies.empty());
}

TEST(CallRouter, OpensNoCallAboveItsLimitUntilOneEnds) {
  Node node;
  Edge edge;
  CallRouter router(node.deliver(), 2);
  const auto first = router.Open(edge, 1);
  const auto second = router.Open(edge, 2);
  EXPECT_FALSE(router.Open(edge, 3).has_value());
  router.OnReply(*first, Saying("done"));
  EXPECT_TRUE(router.Open(edge, 3).has_value());
  EXPECT_FALSE(router.Open(edge, 4).has_value());
  router.Cancel(*second);
  EXPECT_EQ(router.under_way(), 1u);
  EXPECT_EQ(router.most().value(), 2u);
  EXPECT_TRUE(router.Open(edge, 4).has_value());
}

TEST(HttpEdge, CancelsTheCallOfAnExchangeThatIsGone) {
  Node node;
  CallRouter router(node.deliver());
  HttpEdge edge({NodeId(1), {}}, router);
  edge.Begin(nullptr, nullptr, nullptr);
  net::HttpRequest request;
  request.method = "GET";
  request.target = "/status";
  edge.OnRequest(41, net::HttpRequest(request), Address::V4(127, 0, 0, 1, 40000));
  edge.OnRequest(42, net::HttpRequest(request), Address::V4(127, 0, 0, 1, 40000));
  ASSERT_EQ(node.Count<Call<tracker::Protocol>>(), 2u);
  edge.OnGone(41);
  edge.OnGone(41);
  EXPECT_EQ(node.Count<CallCancelled>(), 1u);
  EXPECT_EQ(router.under_way(), 1u);
}

}  // namespace
}  // namespace bt::nodes
