using Espalier.Torch;

namespace Espalier.Distributed;

/// <summary>What ranks send each other while the thread that begins it goes on. All ranks begin the same in the same order.</summary>
/// <param name="ranks">Several ranks.</param>
internal sealed class WorkUnderWay(Ranks ranks) : IDisposable
{
    // Large enough that the network's speed counts and not its latency, small enough to be no burden on memory. While so many are under way the
    // network is busy: to begin more would gain nothing.
    public const long BucketBytes = 32 << 20;
    public const int MostUnderWay = 2;

    private readonly Queue<GroupWork> _underWay = [];
    private readonly List<(TimeSpan Began, TimeSpan Ended)> _spans = [];
    private TimeSpan _waited;

    /// <summary>Begins to sum tensors of one type, in place. They travel in buckets, and may be read when all has been waited for.</summary>
    public void BeginSum(IEnumerable<Tensor> tensors)
    {
        List<Tensor> bucket = [];
        long bytes = 0;
        foreach (Tensor tensor in tensors)
        {
            bucket.Add(tensor);
            bytes += tensor.ByteLength;
            if (bytes >= BucketBytes)
            {
                Send();
            }
        }

        if (bucket.Count > 0)
        {
            Send();
        }

        void Send()
        {
            Begin(() => ranks.BeginSum(bucket));
            (bucket, bytes) = ([], 0);
        }
    }

    /// <summary>Begins to sum tensors, of which each rank receives its share.</summary>
    /// <inheritdoc cref="Torch.ProcessGroup.ReduceScatter"/>
    public void BeginSharedSum(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Begin(() => ranks.BeginSharedSum(outputs, inputs, sizes));

    /// <summary>Begins to give all ranks the shares of all.</summary>
    /// <inheritdoc cref="Torch.ProcessGroup.AllGather"/>
    public void BeginGather(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Begin(() => ranks.BeginGather(outputs, inputs, sizes));

    /// <summary>Waits for all.</summary>
    /// <returns>How long they took.</returns>
    public CommunicationTime Wait()
    {
        while (_underWay.Count > 0)
        {
            WaitForOldest();
        }

        // Several may be under way at once: such time counts once.
        TimeSpan time = default, until = TimeSpan.MinValue;
        foreach ((TimeSpan began, TimeSpan ended) in _spans.OrderBy(span => span.Began))
        {
            TimeSpan from = began > until ? began : until;
            time += ended > from ? ended - from : default;
            until = ended > until ? ended : until;
        }

        return new CommunicationTime(time.TotalSeconds, _waited.TotalSeconds);
    }

    /// <summary>Gives up what is still under way.</summary>
    public void Dispose()
    {
        while (_underWay.TryDequeue(out GroupWork? work))
        {
            work.Dispose();
        }
    }

    private void Begin(Func<GroupWork> begin)
    {
        if (_underWay.Count == MostUnderWay)
        {
            WaitForOldest();
        }

        _underWay.Enqueue(begin());
    }

    private void WaitForOldest()
    {
        GroupWork work = _underWay.Dequeue();
        long started = TimeProvider.System.GetTimestamp();
        ranks.Wait(work);

        // Between GPUs nobody tells.
        if (work.Ended > work.Began)
        {
            _waited += TimeProvider.System.GetElapsedTime(started);
            _spans.Add((work.Began, work.Ended));
        }
    }
}
