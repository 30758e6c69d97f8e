using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>
/// The matrices that stand side by side in one parameter, such as queries, keys and values. All have the same inputs and outputs.
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
        Fans = parameter.Fans;
    }

    /// <summary>The size of each.</summary>
    public Fans Fans { get; }

    /// <summary>The operations of orthogonalizing all.</summary>
    public double OrthogonalFlops => _count * NewtonSchulz.Flops(Fans.In, Fans.Out);

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
