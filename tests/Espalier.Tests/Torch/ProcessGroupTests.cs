using System.Net;
using System.Net.Sockets;
using Espalier.Torch;

namespace Espalier.Tests.Torch;

/// <summary>Ranks as threads of this process, each with a group of its own: what they say goes over loopback all the same.</summary>
public class ProcessGroupTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void AllReduceSumsAndAveragesOverTheRanks(int size) => OnRanks(size, group =>
    {
        using Tensor a = Tensor.From<float>([group.Rank, 1], [2]), b = Tensor.From<float>([10 * group.Rank, 2, 3], [3, 1]);
        group.AllReduce([a, b]).Wait();
        float ranks = size * (size - 1) / 2f;
        Assert.Equal([ranks, size], a.ToArray<float>());
        Assert.Equal([10 * ranks, 2 * size, 3 * size], b.ToArray<float>());
        group.AllReduce([a], average: true).Wait();
        Assert.Equal([ranks, size], a.ToArray<float>());
    });

    /// <summary>Shares of any sizes, in tensors that end elsewhere than shares do; one rank has none.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void ReduceScatterThenAllGatherIsAllReduce(int size) => OnRanks(size, group =>
    {
        long[] sizes = [.. Enumerable.Range(0, size).Select(rank => rank == 1 ? 0L : 700 + (100 * rank))];
        long all = sizes.Sum();
        var random = new Random(group.Rank);
        float[] own = [.. Enumerable.Range(0, (int)all).Select(_ => (float)random.Next(-1000, 1000))];
        using Tensor input = Tensor.From<float>(own, [all]), whole = input.Clone(), gathered = Tensor.Zeros([all]);
        using Tensor first = input.Narrow(0, 0, 300), rest = input.Narrow(0, 300, all - 300);
        using Tensor share = Tensor.Zeros([sizes[group.Rank]]);
        Tensor[] shares = sizes[group.Rank] == 0 ? [] : [share];
        group.ReduceScatter(shares, [first, rest], sizes).Wait();
        using Tensor head = gathered.Narrow(0, 0, 10), tail = gathered.Narrow(0, 10, all - 10);
        group.AllGather([head, tail], shares, sizes).Wait();
        group.AllReduce([whole]).Wait();
        Assert.Equal(whole.ToArray<float>(), gathered.ToArray<float>());
        Assert.Equal(own, input.ToArray<float>());
    });

    /// <summary>The order decides what a sum of large and small numbers rounds to.</summary>
    [Fact]
    public void ASharedSumIsAddedUpInTheOrderOfTheRanks() => OnRanks(4, group =>
    {
        float[] of = [1, 1e8f, -1e8f, 3];
        using Tensor input = Tensor.Full([4], of[group.Rank]), share = Tensor.Zeros([1]);
        group.ReduceScatter([share], [input], [1, 1, 1, 1]).Wait();
        Assert.Equal(((of[0] + of[1]) + of[2]) + of[3], share.Item());
    });

    [Fact]
    public void BroadcastGivesTheRootsTensorEvenIfItIsTransposed() => OnRanks(2, group =>
    {
        using Tensor value = Tensor.From<float>(group.Rank == 1 ? [1, 2, 3, 4, 5, 6] : [0, 0, 0, 0, 0, 0], [2, 3]);
        using Tensor transposed = value.Transpose(0, 1);
        group.Broadcast(transposed, root: 1).Wait();
        Assert.Equal([1, 2, 3, 4, 5, 6], value.ToArray<float>());
    });

    [Fact]
    public void SeveralOperationsMayBeUnderWayAtOnce() => OnRanks(2, group =>
    {
        Tensor[] tensors = [.. Enumerable.Range(0, 8).Select(i => Tensor.Full([10_000], i + group.Rank))];
        GroupWork[] under = [.. tensors.Select(tensor => group.AllReduce([tensor]))];
        for (int i = 0; i < tensors.Length; i++)
        {
            under[i].Wait();
            Assert.All(tensors[i].ToArray<float>(), value => Assert.Equal((2 * i) + 1, value));
            tensors[i].Dispose();
        }
    });

    [Fact]
    public void SharesThatDoNotFitAreRefused() => OnRanks(2, group =>
    {
        using Tensor three = Tensor.Zeros([3]), two = Tensor.Zeros([2]);
        Refused("inputs of 3 elements do not hold shares of 4", () => group.ReduceScatter([two], [three], [2, 2]));
        Refused("outputs of 3 elements do not hold shares of 2", () => group.ReduceScatter([three], [two, two], [2, 2]));
        Refused("outputs of 3 elements do not hold shares of 4", () => group.AllGather([three], [two], [2, 2]));
        Refused("inputs of 2 elements do not hold shares of 3", () => group.AllGather([three, three], [two], [3, 3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => group.AllGather([three], [two], [2]));

        static void Refused(string why, Func<GroupWork> operation) =>
            Assert.Contains(why, Assert.Throws<TorchException>(operation).Message, StringComparison.Ordinal);
    });

    [Fact]
    public void ARankThatLeavesFailsWhatTheOthersWaitFor() => OnRanks(2, group =>
    {
        if (group.Rank == 1)
        {
            group.Dispose();
            return;
        }

        using Tensor value = Tensor.Zeros([10]);
        Assert.Throws<TorchException>(() => group.AllReduce([value]).Wait());
    });

    [Fact]
    public void ARankThatDoesNotAnswerFailsThemInTime()
    {
        using var over = new ManualResetEventSlim();
        OnRanks(
            2,
            group =>
            {
                if (group.Rank == 1)
                {
                    over.Wait(TimeSpan.FromMinutes(1));
                    return;
                }

                long started = TimeProvider.System.GetTimestamp();
                Assert.Throws<TorchException>(() => group.Barrier().Wait());
                Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0.5, 30);
                over.Set();
            },
            TimeSpan.FromSeconds(1));
    }

    /// <summary>Runs a body on every rank, each a thread.</summary>
    internal static void OnRanks(int size, Action<ProcessGroup> body, TimeSpan? timeout = null)
    {
        int port = FreePort();
        Task[] ranks = [.. Enumerable.Range(0, size).Select(rank => Task.Factory.StartNew(
            () =>
            {
                using ProcessStore store = ProcessStore.Open("127.0.0.1", port, rank == 0, "test", TimeSpan.FromSeconds(60));
                using ProcessGroup group = ProcessGroup.Join(store, rank, size, timeout ?? TimeSpan.FromSeconds(60));
                body(group);
                store.Add("done", 1);
                while (rank == 0 && store.Add("done", 0) < size)
                {
                    Thread.Sleep(1);
                }
            },
            TaskCreationOptions.LongRunning))];
        Task.WaitAll(ranks);
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
