namespace Espalier.Distributed;

/// <summary>How long ranks spoke with each other; none where NCCL carries it, which does not tell.</summary>
/// <param name="Seconds">In which something was under way between them.</param>
/// <param name="WaitedSeconds">Those of them in which this rank had nothing else to do.</param>
public readonly record struct CommunicationTime(double Seconds, double WaitedSeconds)
{
    /// <summary>The share of the communication during which this rank computed; 1 where there was none.</summary>
    public double Hidden => Seconds > 0 ? Math.Max(0, 1 - (WaitedSeconds / Seconds)) : 1;

    /// <summary>Both added up.</summary>
    public static CommunicationTime operator +(CommunicationTime one, CommunicationTime other) =>
        new(one.Seconds + other.Seconds, one.WaitedSeconds + other.WaitedSeconds);
}
