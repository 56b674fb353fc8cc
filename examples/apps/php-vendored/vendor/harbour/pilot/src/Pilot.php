<?php

namespace Harbour;

final class Pilot
{
    public static function boards(string $ship): string
    {
        return "The pilot boards the $ship";
    }
}
