namespace Espalier.Planning;

/// <summary>A stage of a schedule: a model of one size from a loss down to another.</summary>
/// <param name="Size">The index of the size.</param>
/// <param name="From">The index of the loss at which it takes over; -1 for the beginning.</param>
/// <param name="To">The index of the loss at which it ends.</param>
internal readonly record struct Stage(int Size, int From, int To);

/// <summary>
/// The cheapest schedule of models that only grow, where growth takes over the loss as it is: every size, every loss to grow at,
/// up to a number of stages, by dynamic programming.
/// </summary>
internal static class StageSearch
{
    /// <summary>What a size costs to train from one loss down to another; infinite where it does not get there.</summary>
    /// <param name="size">The index of the size.</param>
    /// <param name="from">The index of the loss to begin at; -1 for a new model.</param>
    /// <param name="to">The index of the loss to end at.</param>
    public delegate double StageCost(int size, int from, int to);

    /// <summary>Finds the cheapest schedule that ends with the last size at the last loss.</summary>
    /// <param name="sizes">How many sizes there are, the smallest first.</param>
    /// <param name="losses">How many losses there are, the highest first.</param>
    /// <param name="most">The most stages.</param>
    /// <param name="cost">What stages cost.</param>
    /// <returns>What it costs, and its stages; infinite and none where no schedule gets there.</returns>
    public static (double Cost, IReadOnlyList<Stage> Stages) Cheapest(int sizes, int losses, int most, StageCost cost)
    {
        // Of each number of stages: the least cost of ending one with a size at a loss, and the stages that it takes.
        (double Cost, Chain? Stages)[,] ends = new (double, Chain?)[sizes, losses];
        for (int size = 0; size < sizes; size++)
        {
            for (int loss = 0; loss < losses; loss++)
            {
                ends[size, loss] = (cost(size, -1, loss), new Chain(new Stage(size, -1, loss), null));
            }
        }

        var best = ends[sizes - 1, losses - 1];
        for (int count = 2; count <= most; count++)
        {
            ends = OneMore(ends, sizes, losses, cost);
            if (ends[sizes - 1, losses - 1].Cost < best.Cost)
            {
                best = ends[sizes - 1, losses - 1];
            }
        }

        return double.IsFinite(best.Cost) ? (best.Cost, Chain.InOrder(best.Stages)) : (double.PositiveInfinity, []);
    }

    private static (double Cost, Chain? Stages)[,] OneMore(
        (double Cost, Chain? Stages)[,] ends, int sizes, int losses, StageCost cost)
    {
        (double Cost, Chain? Stages)[,] more = new (double, Chain?)[sizes, losses];

        // The cheapest of all smaller sizes so far, by the loss at which it is left.
        var smaller = new (double Cost, Chain? Stages)[losses];
        Array.Fill(smaller, (double.PositiveInfinity, null));
        for (int size = 0; size < sizes; size++)
        {
            for (int to = 0; to < losses; to++)
            {
                (double Cost, int From) least = (double.PositiveInfinity, -1);
                for (int from = 0; from < to; from++)
                {
                    double total = smaller[from].Cost;
                    total = double.IsFinite(total) ? total + cost(size, from, to) : total;
                    least = total < least.Cost ? (total, from) : least;
                }

                more[size, to] = least.From < 0
                    ? (double.PositiveInfinity, null)
                    : (least.Cost, new Chain(new Stage(size, least.From, to), smaller[least.From].Stages));
            }

            for (int loss = 0; loss < losses; loss++)
            {
                smaller[loss] = ends[size, loss].Cost < smaller[loss].Cost ? ends[size, loss] : smaller[loss];
            }
        }

        return more;
    }

    private sealed record Chain(Stage Last, Chain? Before)
    {
        public static IReadOnlyList<Stage> InOrder(Chain? chain)
        {
            List<Stage> stages = [];
            for (; chain is not null; chain = chain.Before)
            {
                stages.Insert(0, chain.Last);
            }

            return stages;
        }
    }
}
