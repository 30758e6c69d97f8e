using Espalier.Distributed;
using Espalier.Tests.Torch;

namespace Espalier.Tests.Distributed;

/// <summary>Ranks as threads of this process; what they say to each other goes over loopback all the same.</summary>
internal static class RanksOfThreads
{
    /// <summary>Runs a body on every rank, and gives what each ended with; null for those that ended well.</summary>
    public static Exception?[] Go(int size, Action<Ranks> body, double timeoutSeconds = 60) =>
        Go(size, ProcessGroupTests.FreePort(), body, timeoutSeconds);

    /// <summary>Runs a body on every rank; they meet at a port.</summary>
    public static Exception?[] Go(int size, int port, Action<Ranks> body, double timeoutSeconds = 60)
    {
        Task<Exception?>[] ranks = [.. Enumerable.Range(0, size).Select(rank => Task.Factory.StartNew<Exception?>(
            () => Record.Exception(() =>
            {
                using var joined = Ranks.Join(
                    new LaunchedRank(rank, size, rank, "127.0.0.1", port), TimeSpan.FromSeconds(timeoutSeconds));
                joined.Guard(() =>
                {
                    body(joined);
                    return 0;
                });
            }),
            TaskCreationOptions.LongRunning))];
        Task.WaitAll(ranks);
        return [.. ranks.Select(rank => rank.Result)];
    }

    /// <summary>The one error that is told; all other ranks end without a word.</summary>
    public static UserErrorException Told(Exception?[] ends)
    {
        Assert.Single(ends, end => end is UserErrorException);
        Assert.Equal(ends.Length - 1, ends.Count(end => end is FailureElsewhereException));
        return ends.OfType<UserErrorException>().Single();
    }
}
