using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Espalier.Data;

/// <summary>How often each word occurs in some text.</summary>
internal static class WordCounts
{
    private const int BatchBytes = 1 << 20;

    /// <summary>The length in bytes of the word that <paramref name="text"/> starts with.</summary>
    public delegate int NextWord(ReadOnlySpan<byte> text);

    /// <summary>Counts on all processors.</summary>
    /// <param name="documents">The text; read once, front to back.</param>
    /// <param name="nextWord">The length in bytes of the word that a text, not empty, starts with.</param>
    /// <param name="progress">Told now and then how far the work has come; called from one thread.</param>
    public static Dictionary<byte[], long> Of(
        IEnumerable<Document> documents, NextWord nextWord, Action<DataProgress>? progress)
    {
        var counts = new ConcurrentBag<Dictionary<byte[], long>>();
        using var batches = new BlockingCollection<List<ReadOnlyMemory<byte>>>(2 * Environment.ProcessorCount);
        Task[] workers = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var own = new Dictionary<byte[], long>(ByteStringComparer.Instance);
                foreach (List<ReadOnlyMemory<byte>> batch in batches.GetConsumingEnumerable())
                {
                    batch.ForEach(text => Add(text.Span, nextWord, own));
                }

                counts.Add(own);
            },
            TaskCreationOptions.LongRunning))];
        try
        {
            var batch = new List<ReadOnlyMemory<byte>>();
            int bytes = 0;
            long read = 0;
            foreach (Document document in documents)
            {
                batch.Add(document.Text);
                bytes += document.Text.Length;
                read = document.BytesRead;
                if (bytes >= BatchBytes)
                {
                    batches.Add(batch);
                    (batch, bytes) = ([], 0);
                    progress?.Invoke(new DataProgress("counting words", read, 0));
                }
            }

            batches.Add(batch);
            progress?.Invoke(new DataProgress("counting words", read, 0));
        }
        finally
        {
            batches.CompleteAdding();
            Task.WaitAll(workers);
        }

        Dictionary<byte[], long> total = new(ByteStringComparer.Instance);
        foreach ((byte[] word, long count) in counts.SelectMany(own => own))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(total, word, out _) += count;
        }

        return total;
    }

    private static void Add(ReadOnlySpan<byte> text, NextWord nextWord, Dictionary<byte[], long> counts)
    {
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<byte>>();
        while (!text.IsEmpty)
        {
            int length = nextWord(text);
            CollectionsMarshal.GetValueRefOrAddDefault(lookup, text[..length], out _)++;
            text = text[length..];
        }
    }
}
