#include "init/user_db.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file_tree.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;

class UserDbTest : public testing::Test {
 protected:
  UserDbTest() {
    tree_.add_file("/etc/passwd",
                   "root:x:0:0:root:/root:/bin/bash\n"
                   "# a comment\n"
                   "broken:x:notanumber:1:::\n"
                   "short:x:5\n"
                   "www:x:33:34:web,,,:/var/www:/usr/sbin/nologin\n"
                   "www:x:99:99::/other:/bin/sh\n"
                   "77:x:78:78::/seventy:/bin/sh");
    tree_.add_file("/etc/group",
                   "root:x:0:\nadm:x:4:www,root\nweb:x:34:www\nlog:x:35:www,,other\nbad:x:x:www\n");
  }
  base::MemoryFileTree tree_;
  UserDb users_{tree_};
};

TEST_F(UserDbTest, FindsUsersByNameAndByNumber) {
  const UserEntry* const www = *users_.find_user("www");
  EXPECT_EQ(www->uid, 33U);
  EXPECT_EQ(www->gid, 34U);
  EXPECT_EQ(www->home, "/var/www");
  EXPECT_EQ(www->shell, "/usr/sbin/nologin");
  EXPECT_EQ((*users_.find_user("33"))->name, "www");
  EXPECT_EQ((*users_.find_user("77"))->uid, 78U);  // a name that looks like a number
  EXPECT_EQ((*users_.find_user("nobody"))->uid, 65534U);
}

TEST_F(UserDbTest, SaysWhomItDoesNotKnow) {
  EXPECT_EQ(users_.find_user("nobody-here").error().message,
            "there is no user \"nobody-here\" in /etc/passwd");
  EXPECT_FALSE(users_.find_user("broken"));
  EXPECT_FALSE(users_.find_user("-1"));
  EXPECT_FALSE(users_.find_user("4711"));
  EXPECT_FALSE(users_.find_group("4711"));
  EXPECT_FALSE(users_.find_user("4294967295"));
  EXPECT_FALSE(users_.find_user(""));
  EXPECT_EQ(users_.find_group("none").error().code, base::Errc::kNotFound);
}

TEST_F(UserDbTest, FindsGroupsAndThoseOfAUser) {
  EXPECT_EQ(*users_.find_group("adm"), 4U);
  EXPECT_EQ(*users_.find_group("34"), 34U);
  EXPECT_EQ(*users_.find_group("nogroup"), 65534U);
  EXPECT_THAT(*users_.groups_of("www", 34), ElementsAre(34, 4, 35));
  EXPECT_THAT(*users_.groups_of("nobody", 1), ElementsAre(1));
}

TEST_F(UserDbTest, ReadsAgainOnlyWhenTheFilesChanged) {
  ASSERT_TRUE(users_.find_user("www"));
  ASSERT_TRUE(users_.find_user("root"));
  EXPECT_EQ(tree_.reads(), 1U);
  ASSERT_TRUE(tree_.write_atomic("/etc/passwd", "new:x:7:7::/:/bin/sh\n", 0644));
  EXPECT_TRUE(users_.find_user("new"));
  EXPECT_FALSE(users_.find_user("www"));
  EXPECT_EQ(tree_.reads(), 2U);
  ASSERT_TRUE(tree_.remove("/etc/passwd"));
  EXPECT_FALSE(users_.find_user("new"));
  EXPECT_EQ((*users_.find_user("root"))->home, "/root");
}

}  // namespace
}  // namespace flotilla::init
