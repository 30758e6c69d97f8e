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

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void ReduceScatterThenAllGatherIsAllReduce(int size) => OnRanks(size, group =>
    {
        const int Share = 1000;
        var random = new Random(group.Rank);
        float[] own = [.. Enumerable.Range(0, Share * size).Select(_ => (float)random.Next(-1000, 1000))];
        using Tensor input = Tensor.From<float>(own, [size, Share]), whole = input.Clone(), share = Tensor.Zeros([Share]), all = Tensor.Zeros([size, Share]);
        group.ReduceScatter(share, input).Wait();
        group.AllGather(all, share).Wait();
        group.AllReduce([whole]).Wait();
        Assert.Equal(whole.ToArray<float>(), all.ToArray<float>());
        Assert.Equal(own, input.ToArray<float>());
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
        Assert.Contains("does not hold 2 shares", Assert.Throws<TorchException>(() => group.ReduceScatter(two, three)).Message, StringComparison.Ordinal);
        Assert.Contains("does not hold 2 inputs", Assert.Throws<TorchException>(() => group.AllGather(three, two)).Message, StringComparison.Ordinal);
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
