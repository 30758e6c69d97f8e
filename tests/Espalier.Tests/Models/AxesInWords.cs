using Espalier.Models;

namespace Espalier.Tests.Models;

/// <summary>A parameter and its axes as a line: <c>name: Heads 3 x 2 x 8 Output, Hidden 16 Input</c>; 1 x is left out.</summary>
internal static class AxesInWords
{
    public static string Of(ParameterSpec spec) => $"{spec.Name}: {string.Join(", ", spec.Axes.Select(Of))}";

    private static string Of(Axis axis)
    {
        string parts = axis.Parts == 1 ? "" : $"{axis.Parts} x ", unitSize = axis.UnitSize == 1 ? "" : $" x {axis.UnitSize}";
        return $"{axis.Kind} {parts}{axis.Units}{unitSize}{(axis.Side == AxisSide.None ? "" : $" {axis.Side}")}";
    }
}
