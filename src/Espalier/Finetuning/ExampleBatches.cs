using Espalier.Data;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Finetuning;

/// <summary>Batches of examples of about equal length, so that little is computed for padding.</summary>
/// <param name="examples">The examples.</param>
/// <param name="batchSize">B: examples in a batch; the last one may hold fewer.</param>
/// <param name="padding">The token that fills short sequences up; nothing looks at it.</param>
internal sealed class ExampleBatches(EncodedExample[] examples, int batchSize, int padding)
{
    // Sorting among so many batches' worth leaves the order of an epoch random, and its padding small.
    private const int BatchesSortedTogether = 32;

    // The streams of random numbers of an epoch.
    private const int OrderOfExamples = 0, OrderOfBatches = 1;

    /// <summary>The number of batches that hold every example once.</summary>
    public int Count => (examples.Length + batchSize - 1) / batchSize;

    /// <summary>The batches of an epoch, as indices of examples: every example once, in an order of the epoch's own.</summary>
    public int[][] Epoch(ulong seed, int epoch)
    {
        var order = new Permutation(
            examples.Length, new CounterRandom(seed, RandomPurpose.BatchOrder, epoch, OrderOfExamples));
        int[][] batches =
        [
            .. Enumerable.Range(0, examples.Length).Select(place => (int)order[place])
                .Chunk(batchSize * BatchesSortedTogether)
                .SelectMany(ByLength),
        ];
        var orderOfBatches = new Permutation(
            batches.Length, new CounterRandom(seed, RandomPurpose.BatchOrder, epoch, OrderOfBatches));
        return [.. Enumerable.Range(0, batches.Length).Select(place => batches[orderOfBatches[place]])];
    }

    /// <summary>Every example once, the longest first: what does not fit in memory fails at once.</summary>
    public int[][] LongestFirst() => [.. ByLength(Enumerable.Range(0, examples.Length))];

    /// <summary>A batch as a model reads it.</summary>
    /// <param name="batch">The indices of its examples.</param>
    /// <param name="device">Where the tensors go.</param>
    public ModelInput Input(int[] batch, Device device)
    {
        int longest = batch.Max(i => examples[i].Ids.Length);
        long[] ids = new long[batch.Length * longest], types = new long[ids.Length], lengths = new long[batch.Length];
        Array.Fill(ids, padding);
        for (int row = 0; row < batch.Length; row++)
        {
            EncodedExample example = examples[batch[row]];
            lengths[row] = example.Ids.Length;
            for (int i = 0; i < example.Ids.Length; i++)
            {
                (ids[(row * longest) + i], types[(row * longest) + i]) = (example.Ids[i], example.TypeIds[i]);
            }
        }

        long[] shape = [batch.Length, longest];
        return new ModelInput(
            Tensor.From<long>(ids, shape, device),
            Array.Exists(types, type => type != 0) ? Tensor.From<long>(types, shape, device) : null,
            Array.Exists(lengths, length => length < longest) ? Tensor.From<long>(lengths, [batch.Length], device) : null);
    }

    private IEnumerable<int[]> ByLength(IEnumerable<int> indices) =>
        indices.OrderByDescending(i => examples[i].Ids.Length).Chunk(batchSize);
}
