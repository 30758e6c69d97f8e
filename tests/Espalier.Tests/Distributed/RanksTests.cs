using System.Globalization;
using Espalier.Distributed;
using Espalier.Tests.Torch;
using Espalier.Torch;

namespace Espalier.Tests.Distributed;

public class RanksTests
{
    [Fact]
    public void TheyAddUpNumbersAndTensorsOfManyBuckets() => Assert.All(
        RanksOfThreads.Go(3, ranks =>
        {
            double[] numbers = [ranks.Rank, 0.1, ranks.Rank == 1 ? Math.PI : 0];
            ranks.Sum(numbers);
            Assert.Equal(3, numbers[0]);
            Assert.Equal(Math.PI, numbers[2]);
            Assert.True(ranks.Any(ranks.Rank == 2));
            Assert.False(ranks.Any(false));

            Tensor[] tensors = [.. new long[] { 9_000_000, 1, 9_000_000, 9_000_000, 7 }.Select(size => Tensor.Full([size], ranks.Rank + 1))];
            using var sums = new WorkUnderWay(ranks);
            sums.BeginSum(tensors);
            CommunicationTime time = sums.Wait();
            Assert.InRange(time.WaitedSeconds, 0, 60);
            Assert.InRange(time.Seconds, 1e-4, 60);
            foreach (Tensor tensor in tensors)
            {
                Assert.Equal(6.0 * tensor.Count, tensor.To(ScalarType.Float64, Device.Cpu).Sum().Item());
                tensor.Dispose();
            }
        }),
        Assert.Null);

    [Fact]
    public void WhatDiffersAtTheStartIsNamedByOne()
    {
        var told = RanksOfThreads.Told(RanksOfThreads.Go(3, ranks => ranks.RequireSame(new Dictionary<string, string>
        {
            ["seed"] = "7",
            ["libtorch"] = ranks.Rank == 2 ? "2.6" : "1.13",
        })));
        Assert.Contains("libtorch: 1.13 on rank 0 (", told.Message, StringComparison.Ordinal);
        Assert.Contains("2.6 on rank 2 (", told.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("seed", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFingerprintThatDiffersNamesTheRankAndTheStep()
    {
        Assert.All(RanksOfThreads.Go(2, ranks => ranks.RequireSame("the weights", ulong.MaxValue - 1)), Assert.Null);
        var told = RanksOfThreads.Told(RanksOfThreads.Go(2, ranks =>
        {
            ranks.At(300);
            ranks.RequireSame("the weights", (1UL << 60) + (ulong)ranks.Rank);
        }));
        Assert.StartsWith("After step 300 the weights of rank 1 (", told.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void AnErrorOnOneRankEndsAllAndIsSaidOnce(int rank)
    {
        var told = RanksOfThreads.Told(RanksOfThreads.Go(4, ranks =>
        {
            ranks.At(12);
            ranks.Meet();
            if (ranks.Rank == rank)
            {
                throw new UserErrorException("The disk is full.", "Free some space.");
            }

            ranks.Meet();
        }));
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"On rank {rank} ({Environment.MachineName}), step 12: The disk is full."), told.Message);
        Assert.Equal("Free some space.", told.Hint);
    }

    [Fact]
    public void ARankThatHangsIsNamedInTime()
    {
        using var over = new ManualResetEventSlim();
        int left = 2;
        long started = TimeProvider.System.GetTimestamp();
        Exception?[] ends = RanksOfThreads.Go(
            3,
            ranks =>
            {
                ranks.At(5);
                if (ranks.Rank == 1)
                {
                    over.Wait(TimeSpan.FromMinutes(1));
                    return;
                }

                try
                {
                    ranks.Meet();
                }
                finally
                {
                    if (Interlocked.Decrement(ref left) == 0)
                    {
                        over.Set();
                    }
                }
            },
            timeoutSeconds: 2);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 2, 40);
        Assert.Null(ends[1]);
        UserErrorException told = RanksOfThreads.Told([ends[0], ends[2]]);
        Assert.StartsWith($"The run stopped at step 5: rank 1 ({Environment.MachineName}) died or did not answer.", told.Message, StringComparison.Ordinal);
        Assert.Contains("--rank-timeout", told.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void RanksThatDoNotComeAreNamed()
    {
        int port = ProcessGroupTests.FreePort();
        var error = Assert.Throws<UserErrorException>(() => Ranks.Join(new LaunchedRank(0, 3, 0, "127.0.0.1", port), TimeSpan.FromSeconds(1)));
        Assert.StartsWith("Of 3 ranks, 1, 2 did not come to 127.0.0.1:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunOnThePortOfAnotherIsRefusedAndTheOtherGoesOn()
    {
        int port = ProcessGroupTests.FreePort();
        Assert.All(
            RanksOfThreads.Go(2, port, ranks =>
            {
                if (ranks.Rank == 1)
                {
                    Refused(0, "the port is in use");
                    Refused(1, "There is a rank 1 at 127.0.0.1:");
                }

                ranks.Meet();
            }),
            Assert.Null);

        void Refused(int rank, string message) => Assert.Contains(
            message,
            Assert.Throws<UserErrorException>(
                () => Ranks.Join(new LaunchedRank(rank, 2, rank, "127.0.0.1", port), TimeSpan.FromSeconds(5))).Message,
            StringComparison.Ordinal);
    }
}
