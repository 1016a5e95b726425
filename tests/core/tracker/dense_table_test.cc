#include "core/tracker/dense_table.h"

#include <gtest/gtest.h>

#include <string>

namespace bt::tracker {
namespace {

struct Row {
  int id = 0;
  char value = 0;

  int key() const { return id; }
};

class DenseTableTest : public testing::Test {
 protected:
  DenseTableTest() {
    for (int id = 0; id < 4; ++id) table_.Add({id, static_cast<char>('a' + id)});
  }
  std::string Frozen() const {
    std::string text;
    for (uint32_t place = 0; place < table_.frozen_size(); ++place) text += table_.frozen_at(place).value;
    return text;
  }

  DenseTable<Row> table_;
};

TEST_F(DenseTableTest, TheLastRowTakesThePlaceOfOneThatLeaves) {
  table_.Remove(1);
  ASSERT_EQ(table_.size(), 3u);
  EXPECT_EQ(table_.at(1).id, 3);
  EXPECT_EQ(table_.Find(3)->value, 'd');
  EXPECT_EQ(table_.Find(1), nullptr);
}

TEST_F(DenseTableTest, FrozenItShowsTheRowsAsTheyWereWhileTheyChangeLeaveAndCome) {
  table_.Freeze();
  EXPECT_EQ(table_.kept(), 0u) << "freezing copies nothing";
  table_.Change(2)->value = 'x';
  table_.Change(2)->value = 'y';
  EXPECT_EQ(Frozen(), "abcd");
  table_.Remove(0);
  table_.Remove(3);
  EXPECT_EQ(Frozen(), "abcd");
  table_.Add({9, 'n'});
  table_.Add({8, 'm'});
  table_.Add({7, 'o'});
  EXPECT_EQ(Frozen(), "abcd");
  EXPECT_EQ(table_.Find(2)->value, 'y');
  EXPECT_EQ(table_.size(), 5u);
  EXPECT_EQ(table_.kept(), 3u) << "the row that never changed was not copied";
}

TEST_F(DenseTableTest, RowsThatWereLetGoOfAreNotCopiedAnyMore) {
  table_.Freeze();
  table_.Change(0)->value = 'x';
  table_.LetGo(2);
  EXPECT_EQ(table_.kept(), 0u);
  table_.Change(1)->value = 'y';
  EXPECT_EQ(table_.kept(), 0u);
  table_.Change(2)->value = 'z';
  EXPECT_EQ(table_.frozen_at(2).value, 'c');
  table_.LetGo();
  EXPECT_EQ(table_.kept(), 0u);
  table_.Change(3)->value = 'w';
  EXPECT_EQ(table_.kept(), 0u);
}

}  // namespace
}  // namespace bt::tracker
