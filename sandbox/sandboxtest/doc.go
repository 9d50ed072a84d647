// Package sandboxtest gives tests sandboxes that end with the test. It also gives them the
// services that the tested code needs, such as a database, each in a container of its own.
//
//	func TestReport(t *testing.T) {
//		network := sandboxtest.NewNetwork(t, nil)
//		db := sandboxtest.Run(t, "redis:7-alpine", &sandboxtest.ServiceOptions{
//			Options: sandbox.Options{Network: network},
//			Wait:    []sandboxtest.Wait{sandboxtest.ForCommand("redis-cli", "ping")},
//		})
//		sb := sandboxtest.New(t, &sandboxtest.Options{Options: sandbox.Options{
//			Runtime: "python-minimal",
//			Network: network,
//			Env:     map[string]string{"REDIS": db.Name() + ":6379"},
//		}})
//		// sb reaches the service by its name, and the test by Dial or Addr:
//		client := redis.NewClient(&redis.Options{Addr: db.Addr(6379)})
//		...
//	}
//
// If there is no container engine, the test is skipped. It fails instead if Options.Require or
// the environment variable DRYDOCK_TEST_ENGINE is set. Containers and networks are named after
// the test and end with it. If the test's process is killed, the containers end by themselves,
// and the next process that opens a sandbox removes the networks. When a test fails, its log
// has the output of the background jobs of its sandboxes.
//
// # Services
//
// A service is a sandbox as well. Its first background job is the image's ENTRYPOINT and CMD,
// and no port is published. Unlike other sandboxes it has a writable root file system and runs
// as the image's own user, which often is root; like all sandboxes it has no capabilities and no
// way to get any.
//
// The program starts in the image's WORKDIR. The work dir of the sandbox is another directory,
// because it is a mount and would hide the image's files. Relative names of WriteFile start
// there, so use absolute names for the files of a service. Some images begin as root and then
// change to another user, which a sandbox does not allow. Name that user in Options.User, such
// as "postgres" for the image of PostgreSQL.
//
// # What it does not do
//
// A service that ends is not started again. Its health check is a way to wait for it, and does
// not run afterwards.
package sandboxtest
