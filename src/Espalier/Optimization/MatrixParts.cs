using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>
/// The matrices that stand side by side in one parameter, such as queries, keys and values. All have the same inputs and outputs.
/// A table of embeddings takes the vocabulary to the width.
/// </summary>
internal sealed class MatrixParts
{
    private readonly int _axis, _count;

    /// <summary>Those of a parameter.</summary>
    /// <param name="parameter">It has two axes.</param>
    public MatrixParts(ParameterSpec parameter)
    {
        Axis[] axes = [.. parameter.Axes];
        _axis = axes[0].Parts > 1 ? 0 : 1;
        _count = axes[_axis].Parts;
        int output = axes[0].Side == AxisSide.Output ? 0 : 1;
        Outputs = Length(output);
        Inputs = Length(1 - output);

        int Length(int axis) => axes[axis].Size / (axis == _axis ? _count : 1);
    }

    /// <summary>The outputs of each.</summary>
    public int Outputs { get; }

    /// <summary>The inputs of each.</summary>
    public int Inputs { get; }

    /// <summary>The operations of orthogonalizing all.</summary>
    public double OrthogonalFlops => _count * NewtonSchulz.Flops(Inputs, Outputs);

    /// <summary>A tensor shaped like the parameter, each of its parts orthogonalized by itself.</summary>
    public Tensor Orthogonal(Tensor tensor)
    {
        if (_count == 1)
        {
            return NewtonSchulz.Orthogonal(tensor);
        }

        long length = tensor.Shape[_axis] / _count;
        return Tensor.Concatenate(
            [.. Enumerable.Range(0, _count).Select(part => NewtonSchulz.Orthogonal(tensor.Narrow(_axis, part * length, length)))], _axis);
    }
}
