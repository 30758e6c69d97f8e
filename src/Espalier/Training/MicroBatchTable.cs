using Espalier.Distributed;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>
/// What the micro-batches of one update came to, a row for each, and which parameters they gave a gradient. Each rank fills in its own
/// rows; all are added up once, where the others hold zeros, so that every rank knows all exactly.
/// </summary>
/// <param name="microBatches">The micro-batches of the update.</param>
/// <param name="parameters">What they train.</param>
internal sealed class MicroBatchTable(int microBatches, ParameterSet parameters)
{
    private const int Columns = 5;

    private readonly double[] _numbers = new double[(microBatches * Columns) + parameters.Count + 1];
    private readonly HashSet<string> _trained = [];

    /// <summary>Fills in a row.</summary>
    /// <param name="microBatch">Which.</param>
    /// <param name="lossSum">The losses of its targets, summed.</param>
    /// <param name="batch">What it read.</param>
    public void Add(int microBatch, double lossSum, ModelBatch batch)
    {
        long[] shape = batch.Input.Ids.Shape;
        double[] row = [lossSum, batch.TargetCount, shape[0], shape[1], batch.Predictions];
        row.CopyTo(_numbers, microBatch * Columns);
    }

    /// <summary>The losses of its targets, summed.</summary>
    public double LossSum(int microBatch) => _numbers[microBatch * Columns];

    /// <summary>Its targets.</summary>
    public long Targets(int microBatch) => (long)_numbers[(microBatch * Columns) + 1];

    /// <summary>B and T.</summary>
    public (int Sequences, int Length) Shape(int microBatch) =>
        ((int)_numbers[(microBatch * Columns) + 2], (int)_numbers[(microBatch * Columns) + 3]);

    /// <summary>N: its positions that went through the vocabulary head.</summary>
    public double Predictions(int microBatch) => _numbers[(microBatch * Columns) + 4];

    /// <summary>Whether a parameter had a gradient on any rank; known once ranks have shared.</summary>
    public bool Trained(Parameter parameter) => _trained.Contains(parameter.Name);

    /// <summary>The sum of squares of the gradients, where ranks have shares of them; known once they have shared.</summary>
    public double Squares => _numbers[^1];

    /// <summary>Fills in the rows of the other ranks.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="exchange">Their gradients, which have been waited for. Of those that no rank had the zeros are dropped.</param>
    public void Share(Ranks ranks, GradientExchange exchange)
    {
        int index = microBatches * Columns;
        foreach (Parameter parameter in parameters)
        {
            _numbers[index++] = exchange.Had(parameter) ? 1 : 0;
        }

        _numbers[index] = exchange.OwnSquares();
        ranks.Sum(_numbers);
        index = microBatches * Columns;
        foreach (Parameter parameter in parameters)
        {
            if (_numbers[index++] > 0)
            {
                _trained.Add(parameter.Name);
            }
            else
            {
                parameter.Value.ClearGrad();
            }
        }
    }
}
